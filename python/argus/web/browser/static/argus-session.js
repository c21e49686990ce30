// Keeps a session of Argus going in a browser (docs/guides/browser.md). No refresh token ever reaches it.
const EARLIEST = 0.5, LATEST = 0.95, MINUTE = 60_000, LEASE = 15_000, HURRY = 2_000, SKEW = 1_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const within = (ms, work) => {
  const stop = new AbortController(), timer = setTimeout(() => stop.abort(), ms);
  return work(stop.signal).finally(() => clearTimeout(timer));
};

export class ArgusProblem extends Error {
  constructor(problem, status, retryAfter) {
    super(problem.detail ?? "no answer");
    Object.assign(this, { reason: "", metadata: {} }, problem, { status, retryAfter });
  }
  // Nothing was decided: the same may be good later.
  get isTransient() { return !this.status || this.status === 429 || this.status >= 500; }
}

export class ArgusSession extends EventTarget {
  // unknown, active, none, step_up
  state = "unknown";
  accessToken;
  #url; #name; #asks; #channel; #timer; #until = 0; #due = Infinity; #flight; #attempt; #failures = 0;

  // url: "/t/<tenant>/session", with Argus's origin before it where that is another one. accessToken: ask for the access
  // token, which the policy must allow.
  constructor(url, { accessToken = false } = {}) {
    super();
    this.#url = url;
    this.#asks = accessToken;
    this.#name = "argus:" + url;
    if (globalThis.BroadcastChannel) {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }) => (data === "signed-out" ? this.#become("none") : this.#look());
    }
    // Timers stand still while a laptop sleeps, and are late in tabs that nobody sees.
    const wake = ({ type, persisted }) => {
      // Whoever was frozen, or comes out of the back-forward cache, may have missed what other tabs said.
      if (persisted || type === "resume") this.#look();
      else if (document.visibilityState !== "visible") return;
      else if (Date.now() >= this.#due || (type === "online" && this.#failures)) this.#tick();
    };
    for (const event of ["visibilitychange", "resume"]) document.addEventListener(event, wake);
    for (const event of ["pageshow", "online", "focus"]) addEventListener(event, wake);
  }

  // Looks who is there, and keeps the session going. To be called after a sign-in or step-up, too.
  async start() {
    await this.#look();
    this.#channel?.postMessage("changed");
    return this.state;
  }

  // Makes the tokens new: once, however many ask, in however many tabs.
  refresh({ userActive = false } = {}) { return this.#once(false, userActive); }

  // After a refresh that is under way: its answer would bring cookies back.
  async signOut() {
    const done = await this.#alone(() => this.call("/sign-out", {}), HURRY);
    this.#become("none");
    this.#channel?.postMessage("signed-out");
    return done;
  }

  // Asks an endpoint ("/sign-in", "/factor", "/step-up"); throws an ArgusProblem.
  async call(path, body) {
    const headers = { "x-argus-csrf": "1", ...(body && { "content-type": "application/json" }) };
    const [answer, told] = await within(LEASE, async (signal) => {
      const answer = await fetch(this.#url + path, {
        method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), cache: "no-store", redirect: "error",
        credentials: "include", signal,
      });
      return [answer, answer.status === 204 ? {} : await answer.json()];
    }).catch(() => { throw new ArgusProblem({}, 0, 0); });
    if (answer.ok) return told;
    throw new ArgusProblem(told, answer.status, Number(answer.headers.get("retry-after")) || 0);
  }

  // isDue: it is only because of the time, so a renewal by any other tab will do.
  #once(isDue, userActive) {
    const work = (hasWaited) => this.#refresh((isDue || hasWaited) && !userActive && !this.#asks, userActive);
    return this.#flight ??= this.#alone(work).finally(() => this.#flight = null);
  }

  #tick() { return this.state === "active" ? this.#renew() : this.#look(); }

  async #look() {
    try {
      const status = await this.call("");
      if (status.state === "none") this.#become("none");
      else if (status.state === "step_up_required") this.#become("step_up");
      else if (status.state === "refresh" || (this.#asks && !this.accessToken)) await this.#renew();
      else this.#go(status.expires_in);
    } catch (problem) {
      this.#later(problem);
    }
  }

  async #refresh(mayShare, userActive) {
    if (mayShare) {
      const { state, expires_in } = await this.call("");
      // Longer than this tab knows of: another one was faster.
      if (state === "active" && Date.now() + 1000 * expires_in > this.#until + SKEW) return this.#go(expires_in);
    }
    // It stays the same for an answer that was lost.
    this.#attempt ??= crypto.randomUUID();
    const body = { attempt_id: this.#attempt, user_active: userActive, access_token: this.#asks };
    const told = await this.call("/refresh", body).catch((problem) => {
      if (!problem.isTransient) this.#attempt = null;
      throw problem;
    });
    this.#attempt = null;
    this.accessToken = told.access_token;
    this.#go(told.expires_in);
  }

  async #renew() {
    clearTimeout(this.#timer);
    this.#due = Infinity;
    try {
      await this.#once(true, false);
    } catch (problem) {
      if (problem.isTransient) return this.#later(problem);
      // Another tab may have stepped up or signed in meanwhile: what the cookies say now counts.
      const status = await this.call("").catch(() => null);
      if (!status) this.#later(problem);
      else if (status.state === "active" && !this.#asks) this.#go(status.expires_in);
      else this.#become(problem.reason === "STEP_UP_REQUIRED" ? "step_up" : "none", problem);
    }
  }

  // On with it, until a random point of the token's life: not everybody is to come at once. What counts is how long the
  // server says that it lasts, not what time this machine says it is.
  #go(seconds) {
    this.#failures = 0;
    this.#until = Date.now() + 1000 * seconds;
    this.#become("active");
    this.#at(1000 * seconds * (EARLIEST + Math.random() * (LATEST - EARLIEST)));
  }

  #later({ retryAfter = 0 }) {
    const wait = Math.min(MINUTE, 1000 * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    this.#at(Math.max(retryAfter * 1000, wait));
  }

  #at(ms) {
    clearTimeout(this.#timer);
    this.#due = Date.now() + Math.max(0, ms);
    this.#timer = setTimeout(() => this.#tick(), ms);
  }

  #become(state, problem) {
    if (state !== "active") {
      clearTimeout(this.#timer);
      this.#due = Infinity;
      this.accessToken = undefined;
    }
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("change", { detail: { state, problem } }));
  }

  // One tab at a time. One that was frozen may hold the lock for hours, so the others wait for so long and then go without
  // it: should two be at it, Argus gives both the same tokens.
  async #alone(work, patience = LEASE) {
    if (!navigator.locks) return this.#inTurn(work, patience);
    let isMine = false;
    const run = (hasWaited) => (isMine = true, work(hasWaited));
    const ask = (options, then) => navigator.locks.request(this.#name, options, then);
    try {
      const told = await ask({ ifAvailable: true }, (lock) => lock && run(false));
      return isMine ? told : await within(patience, (signal) => ask({ signal }, () => run(true)));
    } catch (problem) {
      // Waited for long enough, or denied, as in frames of other sites.
      if (isMine) throw problem;
      return this.#inTurn(work, patience, true);
    }
  }

  // The same by local storage, which gives no lock to who does not answer, and is there without Web Locks.
  async #inTurn(work, patience, hasWaited = false) {
    const key = this.#name + ":lock", mine = crypto.randomUUID(), last = Date.now() + patience;
    const holder = () => this.#recall(key) ?? { until: 0 };
    for (; Date.now() < last; await pause(50 + Math.random() * 100), hasWaited = true) {
      if (holder().until > Date.now()) continue;
      if (!this.#keep(key, JSON.stringify({ until: Date.now() + LEASE, mine }))) break;
      await pause(20);
      if (holder().mine === mine) break;
    }
    try {
      return await work(hasWaited);
    } finally {
      if (holder().mine === mine) this.#keep(key, "{}");
    }
  }

  // Without storage each tab is for itself.
  #keep(key, text) { try { localStorage.setItem(key, text); return true; } catch { return false; } }
  #recall(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } }
}
