// The person in front of the browser: opens an address, fills in the forms that come, and follows redirects by hand.

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', '#34': '"', '#39': "'", '#43': '+' };
const unescape = (text) => text.replace(/&([#\w]+);/g, (all, name) => entities[name] ?? all);
const attribute = (tag, name) => unescape(tag.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1] ?? '');

export class Person {
  #jar = new Map(); // origin -> name -> value
  forms = 0; // how many were filled in

  // visit goes where the address leads and returns the address at which the client would get the browser back, which begins with goal.
  async visit(address, goal) {
    let request = { url: new URL(address) };
    for (let hops = 0; hops < 10; hops++) {
      const { status, location, body } = await this.#open(request);
      if (status === 303 || status === 302) {
        if (location.href.startsWith(goal)) return location;
        if (location.origin !== request.url.origin) throw new Error(`the server sends the browser to ${location.origin}`);
        request = { url: location };
        continue;
      }
      const form = body.match(/<form[^>]*>/)?.[0];
      if (!form) throw new Error(`the page says, with status ${status}: ${body.match(/<p>([^<]*)/)?.[1]}`);
      request = { url: new URL(attribute(form, 'action'), request.url), fields: this.#fill(body) };
    }
    throw new Error('the browser does not come back to the client');
  }

  #fill(body) {
    const fields = new URLSearchParams();
    for (const [input] of body.matchAll(/<input[^>]*>/g)) fields.set(attribute(input, 'name'), attribute(input, 'value'));
    for (const name of ['username', 'password']) if (fields.has(name)) fields.set(name, 'alice');
    this.forms++;
    return fields;
  }

  async #open({ url, fields }) {
    const cookies = this.#jar.get(url.origin) ?? new Map();
    this.#jar.set(url.origin, cookies);
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const method = fields ? 'POST' : 'GET';
    if (fields) { // as browsers without fetch metadata send it from a page whose Referrer-Policy is same-origin
      headers.origin = url.origin;
    }
    const answer = await fetch(url, { method, body: fields, headers, redirect: 'manual', signal: AbortSignal.timeout(10_000) });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      if (/;\s*max-age=0\b/i.test(line) || value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    return { status: answer.status, location: location && new URL(location, url), body: await answer.text() };
  }
}
