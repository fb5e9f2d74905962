// The live page listens to the demo's event stream and draws each API's timeline as SVG. All it shows comes from the stream.
// When the stream breaks it says so and stops the clock.
'use strict';

const lanes = [...document.querySelectorAll('.lane')].map((node) => ({
  node,
  skew: Number(node.dataset.skew) * 1000,
  svg: node.querySelector('svg.timeline'),
  calls: [],    // {t, status, forged, late}
  refreshes: [], // {t, ok}
  tokens: [],   // {iat, exp, from, header, claims}
}));
const keep = 10 * 60 * 1000;
let offset = 0;        // the server's clock minus ours, in milliseconds
let frozen = 0;        // the server's time at which the stream broke; 0: it is not broken
let lastHeard = 0;     // our clock
let state = null;

const byId = (id) => document.getElementById(id);
const serverNow = () => frozen || Date.now() + offset;
const clock = (t) => new Date(t).toLocaleTimeString([], { hour12: false });

function listen() {
  const stream = new EventSource('/events');
  stream.addEventListener('status', (message) => {
    state = JSON.parse(message.data);
    offset = state.now - Date.now();
    heard();
    showState();
  });
  stream.addEventListener('event', (message) => {
    take(JSON.parse(message.data));
    heard();
  });
  stream.addEventListener('error', () => broken());
}

function heard() {
  lastHeard = Date.now();
  if (frozen) {
    frozen = 0;
    byId('broken').hidden = true;
  }
}

// There is a status every two seconds. A stream that is silent for five is taken for broken.
function broken() {
  if (frozen || !state) {
    if (!state) byId('now').textContent = 'No connection to the demo yet…';
    return;
  }
  frozen = lastHeard + offset;
  const note = byId('broken');
  note.textContent = `The connection to the demo is lost. The timeline ends at ${clock(frozen)} and continues when the demo is back.`;
  note.hidden = false;
}

function take(e) {
  const lane = lanes[e.lane];
  switch (e.kind) {
    case 'call': {
      const token = lane.tokens.findLast((x) => x.from <= e.t);
      lane.calls.push({ t: e.t, status: e.status, forged: e.forged, late: token && !e.forged && e.t >= token.exp });
      const answer = lane.node.querySelector('.answer');
      answer.textContent = `${e.status} ${e.forged ? '(forged)' : e.text}`;
      answer.className = `answer ${e.status === 200 ? 'good' : 'bad'}`;
      if (e.challenge) lane.node.querySelector('.challenge code').textContent = `WWW-Authenticate: ${e.challenge}`;
      forget(lane.calls, e.t);
      break;
    }
    case 'token':
      lane.tokens.push({ iat: e.iat, exp: e.exp, from: e.t, header: e.header, claims: e.claims });
      if (lane.tokens.length > 100) lane.tokens.shift();
      showToken();
      break;
    case 'refresh':
      lane.refreshes.push({ t: e.t, ok: e.ok });
      forget(lane.refreshes, e.t);
      log(e.t, e.ok ? `${name(lane)}: rejected, refreshed.` : `${name(lane)}: rejected, and the refresh failed: ${e.text}.`);
      break;
    default:
      log(e.t, e.text);
  }
}

const name = (lane) => lane.node.getAttribute('aria-label');

function forget(list, now) {
  while (list.length && list[0].t < now - keep) list.shift();
}

function log(t, text) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = clock(t);
  item.append(time, text);
  const list = byId('log');
  list.prepend(item);
  while (list.children.length > 8) list.lastChild.remove();
}

function showState() {
  const who = state.ended ? `${state.signedIn} must sign in again` : state.signedIn ? `signed in as ${state.signedIn}` : 'nobody is signed in';
  byId('now').textContent = `${who[0].toUpperCase()}${who.slice(1)} · authorization server ${state.issuerUp ? 'running' : 'stopped'}${state.paused ? ' · caller paused' : ''}`;
  const pause = byId('pause');
  pause.textContent = state.paused ? 'Resume the caller' : 'Pause the caller';
  pause.dataset.do = state.paused ? 'resume' : 'pause';
  const power = byId('power');
  power.textContent = state.issuerUp ? 'Stop the authorization server' : 'Start the authorization server';
  power.dataset.do = state.issuerUp ? 'stop' : 'start';
  byId('signout').hidden = !state.signedIn;
  byId('signin').hidden = Boolean(state.signedIn) && !state.ended;
  byId('revoke').disabled = !state.signedIn || state.ended;
  if (!state.signedIn) byId('token').textContent = 'none';
}

function showToken() {
  const token = lanes[Number(byId('which').value)].tokens.at(-1);
  if (!token) return;
  byId('token').textContent = `${JSON.stringify(token.header, null, 2)}\n${JSON.stringify(token.claims, null, 2)}`;
}

// Drawing. Seconds become pixels so that a call a second stays a dot apart, on a phone as on a desk.

const seconds = (ms) => (ms / 1000).toFixed(0);

function draw() {
  const now = serverNow();
  for (const lane of lanes) {
    const width = lane.svg.clientWidth;
    const perSecond = width < 500 ? 9 : 12;
    const start = now - ((width - 14) / perSecond) * 1000;
    const x = (t) => ((t - start) / 1000) * perSecond;
    const parts = [];
    lane.tokens.forEach((token, i) => {
      const end = Math.min(lane.tokens[i + 1]?.from ?? Infinity, now + 6 * 3600e3);
      bar(parts, 'life', x(Math.max(token.iat, i ? token.from : token.iat)), x(Math.min(token.exp, end)), width);
      if (end > token.exp) bar(parts, 'skew', x(token.exp), x(Math.min(token.exp + lane.skew, end)), width);
    });
    for (const r of lane.refreshes) {
      if (r.t > start) parts.push(`<line class="renew${r.ok ? '' : ' failed'}" x1="${x(r.t)}" x2="${x(r.t)}" y1="4" y2="60"/>`);
    }
    for (const c of lane.calls) {
      if (c.t > start) parts.push(mark(x(c.t), c));
    }
    for (let t = Math.ceil(start / 10e3) * 10e3; t <= now; t += 10e3) {
      parts.push(`<line class="axis" x1="${x(t)}" x2="${x(t)}" y1="60" y2="65"/>`);
      if (x(t) > 24 && x(t) < width - 30) parts.push(`<text class="tick" x="${x(t)}" y="77" text-anchor="middle">${clock(t)}</text>`);
      if (width < 500) t += 10e3;
    }
    parts.push(`<line class="axis" x1="0" x2="${width}" y1="60" y2="60"/><line class="axis" x1="${x(now)}" x2="${x(now)}" y1="0" y2="60"/>`);
    lane.svg.innerHTML = parts.join('');
    lane.node.querySelector('.countdown').textContent = countdown(lane, now);
  }
}

function bar(parts, kind, from, to, width) {
  const left = Math.max(from, -2);
  const right = Math.min(to, width + 2);
  if (right > left) parts.push(`<rect class="${kind}" x="${left}" y="10" width="${right - left}" height="14" rx="2"/>`);
}

function mark(x, c) {
  // Rejections have their own row: the retry after a refresh falls on the same pixel.
  if (c.forged) return `<path class="forged" d="M${x} 45l6 10h-12z"/>`;
  if (c.status !== 200) return `<path class="no" d="M${x - 4.5} 46.5l9 9m0 -9l-9 9"/>`;
  return `<circle class="${c.late ? 'late' : 'ok'}" cx="${x}" cy="35" r="${c.late ? 4 : 4.5}"/>`;
}

function countdown(lane, now) {
  const token = lane.tokens.at(-1);
  if (!token || !state?.signedIn) return 'no token';
  if (now < token.exp) return `expires in ${seconds(token.exp - now)} s`;
  const left = token.exp + lane.skew - now;
  if (left > 0) return `expired ${seconds(now - token.exp)} s ago; the clock skew accepts it for another ${seconds(left)} s`;
  return `expired ${seconds(now - token.exp)} s ago, past the clock skew too`;
}

// Buttons.

async function press(action, body) {
  const response = await fetch(`/do/${action}`, { method: 'POST', body }).catch(() => null);
  if (!response) broken();
  else if (!response.ok) log(serverNow(), `The demo answered with status ${response.status}.`);
}

document.addEventListener('click', (e) => {
  const button = e.target.closest('button[data-do]');
  if (button) press(button.dataset.do);
});
byId('forge').addEventListener('submit', (e) => {
  e.preventDefault();
  press('forge', new URLSearchParams(new FormData(e.target)));
});
byId('which').addEventListener('change', showToken);

const calm = matchMedia('(prefers-reduced-motion: reduce)');
let drawn = 0;
function frame(t) {
  if (t - drawn >= (calm.matches ? 1000 : 100)) {
    drawn = t;
    if (state && Date.now() - lastHeard > 5000) broken();
    draw();
  }
  requestAnimationFrame(frame);
}
listen();
requestAnimationFrame(frame);
