package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"time"
)

// The picture's measures, in SVG units.
const (
	pictureWidth = 960
	laneHeight   = 92
	laneTop      = 84
	left, right  = 40, 30
)

const style = `
  .paper { fill: #fbfaf7 } .ink { fill: #1c2330 } .soft { fill: #5d6675 } .axis { stroke: #c9c4b8; stroke-width: 1 }
  .life { fill: #4a7fd6 } .skew { fill: url(#hatch) } .hatch { stroke: #c77d13; stroke-width: 2.5 } .edge { fill: none; stroke: #c77d13; stroke-width: 1 }
  .ok { fill: #177245 } .late { fill: #fbfaf7; stroke: #177245; stroke-width: 2.5 } .no { stroke: #b3261e; stroke-width: 3; stroke-linecap: round } .renew { stroke: #1c2330; stroke-width: 1.5; stroke-dasharray: 3 3 }
  text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif } .title { font-size: 18px; font-weight: 600 } .name { font-weight: 600 } .small { font-size: 12px }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #16191f } .ink { fill: #e8e6e0 } .soft { fill: #9aa3b2 } .axis { stroke: #3a414d }
    .life { fill: #5f93e8 } .hatch { stroke: #e0a04a } .edge { stroke: #e0a04a }
    .ok { fill: #4cc38a } .late { fill: #16191f; stroke: #4cc38a } .no { stroke: #ff7b72 } .renew { stroke: #e8e6e0 }
  }
`

// draw writes the picture: a lane for each Api1 whose token expires, the token's life as a bar, the skew after it hatched, a
// mark for every call.
func draw(w io.Writer, all []*lane) {
	var lanes []*lane
	for _, l := range all {
		if !l.endless {
			lanes = append(lanes, l)
		}
	}
	height := laneTop + laneHeight*len(lanes) + 78
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc">`+"\n", pictureWidth, height)
	fmt.Fprintf(w, "<title id=\"title\">When does an expired access token stop working?</title>\n")
	fmt.Fprintf(w, "<desc id=\"desc\">Three APIs called every ten seconds with a one-minute token. With a clock skew of 300 seconds it is accepted until 360 seconds, with 60 seconds until just before 120, with 0 until just before 60; then comes a 401, and the caller refreshes.</desc>\n")
	fmt.Fprintf(w, "<style>%s</style>\n", style)
	fmt.Fprint(w, `<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="7"/></pattern></defs>`+"\n")
	fmt.Fprintf(w, `<rect class="paper" width="%d" height="%d" rx="8"/>`+"\n", pictureWidth, height)
	fmt.Fprintf(w, `<text class="ink title" x="%d" y="34">When does an expired access token stop working?</text>`+"\n", left)
	fmt.Fprintf(w, `<text class="soft" x="%d" y="56">A token that lives for 60 s, a call every 10 s, and three APIs that differ only in their clock skew.</text>`+"\n", left)
	for i, l := range lanes {
		drawLane(w, l, laneTop+laneHeight*i)
	}
	drawAxis(w, laneTop, laneTop+laneHeight*len(lanes))
	drawLegend(w, height-18)
	fmt.Fprintln(w, "</svg>")
}

func x(at time.Duration) float64 {
	return left + at.Seconds()/duration.Seconds()*(pictureWidth-left-right)
}

func drawLane(w io.Writer, l *lane, top int) {
	fmt.Fprintf(w, `<text class="ink name" x="%d" y="%d">ClockSkew = %s</text>`+"\n", left, top+20, html.EscapeString(l.name))
	bar := top + 34
	for i, issued := range l.tokens {
		end := duration
		if i+1 < len(l.tokens) {
			end = l.tokens[i+1]
		}
		life := min(issued+lifetime, end)
		fmt.Fprintf(w, `<rect class="life" x="%.1f" y="%d" width="%.1f" height="12" rx="2"/>`+"\n", x(issued)+0.75, bar, x(life)-x(issued)-1.5) // a gap, so that two lives in a row stay two
		if skew := min(issued+lifetime+l.skew, end); skew > life {
			fmt.Fprintf(w, `<rect class="skew" x="%.1f" y="%d" width="%.1f" height="12"/><rect class="edge" x="%.1f" y="%d" width="%.1f" height="12"/>`+"\n",
				x(life), bar, x(skew)-x(life), x(life), bar, x(skew)-x(life))
		}
	}
	for _, c := range l.calls {
		drawCall(w, x(c.at), bar+30, c.status, l.pastExpiry(c))
		if c.refreshed {
			fmt.Fprintf(w, `<line class="renew" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", x(c.at), bar-4, x(c.at), bar+22)
		}
	}
}

// drawCall draws shapes, not only colours: a disc, a ring for a call that was let in after exp, a cross for a refusal.
func drawCall(w io.Writer, x float64, y, status int, late bool) {
	switch {
	case status != http.StatusOK:
		fmt.Fprintf(w, `<path class="no" d="M%.1f %dl9 9m0 -9l-9 9"/>`+"\n", x-4.5, y-4)
	case late:
		fmt.Fprintf(w, `<circle class="late" cx="%.1f" cy="%d" r="4"/>`+"\n", x, y)
	default:
		fmt.Fprintf(w, `<circle class="ok" cx="%.1f" cy="%d" r="5"/>`+"\n", x, y)
	}
}

func drawAxis(w io.Writer, top, bottom int) {
	for at := time.Duration(0); at <= duration; at += time.Minute {
		fmt.Fprintf(w, `<line class="axis" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", x(at), bottom, x(at), bottom+6)
		fmt.Fprintf(w, `<text class="soft small" x="%.1f" y="%d" text-anchor="middle">%.0f s</text>`+"\n", x(at), bottom+21, at.Seconds())
	}
	fmt.Fprintf(w, `<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", left, bottom, pictureWidth-right, bottom)
}

func drawLegend(w io.Writer, y int) {
	entry := func(x int, text string) {
		fmt.Fprintf(w, `<text class="soft small" x="%d" y="%d">%s</text>`+"\n", x, y+4, text)
	}
	fmt.Fprintf(w, `<rect class="life" x="%d" y="%d" width="26" height="10" rx="2"/>`+"\n", left, y-5)
	entry(left+34, "until exp")
	fmt.Fprintf(w, `<rect class="skew" x="%d" y="%d" width="26" height="10"/><rect class="edge" x="%d" y="%d" width="26" height="10"/>`+"\n", left+120, y-5, left+120, y-5)
	entry(left+154, "clock skew")
	drawCall(w, left+250, y, http.StatusOK, false)
	entry(left+262, "200")
	drawCall(w, left+320, y, http.StatusOK, true)
	entry(left+332, "200, although expired")
	drawCall(w, left+490, y, http.StatusUnauthorized, false)
	entry(left+504, "401 invalid_token")
	fmt.Fprintf(w, `<line class="renew" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", left+640, y-9, left+640, y+9)
	entry(left+650, "the caller refreshes")
}
