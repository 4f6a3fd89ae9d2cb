// Asking the server: the status every second, mostly answered with "as before".
//
// Ages are reckoned with the server's clock, as far as its last answer told it, so that a phone
// with a wrong clock judges alike. When the server stops answering, the page says so itself.

const LIVE_MS = 1000;
const LOST_AFTER_S = 8;

export class Feed {
  constructor(onLive) {
    this.onLive = onLive;
    this.held = false;
    this.live = null;
    this.etag = "";
    this.offset = 0;
    this.answeredAt = performance.now();
    this.etags = new Map();
  }

  /** The server's wall time now, in seconds. */
  now() {
    return Date.now() / 1000 + this.offset;
  }

  /** Seconds since the server last answered. */
  silence() {
    return (performance.now() - this.answeredAt) / 1000;
  }

  lost() {
    return this.silence() > LOST_AFTER_S;
  }

  async start() {
    for (;;) {
      if (!this.held && !document.hidden) {
        await this.askLive();
        this.onLive(this.live);
      } else if (this.held) {
        this.answeredAt = performance.now();
      }
      await new Promise((resolve) => setTimeout(resolve, LIVE_MS));
    }
  }

  async askLive() {
    try {
      const headers = this.etag ? { "if-none-match": this.etag } : {};
      const answer = await fetch("/api/live", { headers, signal: AbortSignal.timeout(5000) });
      if (answer.status === 200) {
        this.live = await answer.json();
        this.offset = this.live.now - Date.now() / 1000;
        this.etag = answer.headers.get("etag") ?? "";
      } else {
        await answer.text(); // an answer left unread counts as broken off
      }
      if (answer.ok || answer.status === 304) this.answeredAt = performance.now();
    } catch {
      // No answer: `lost` tells in a few seconds, and the next turn asks again.
    }
  }

  /** JSON of an address; null when it is as before or there is no answer. */
  async ask(path) {
    try {
      const tag = this.etags.get(path);
      const headers = tag ? { "if-none-match": tag } : {};
      const answer = await fetch(path, { headers, signal: AbortSignal.timeout(15000) });
      if (!answer.ok) {
        await answer.text();
        return null;
      }
      this.etags.clear();
      if (answer.headers.get("etag")) this.etags.set(path, answer.headers.get("etag"));
      return await answer.json();
    } catch {
      return null;
    }
  }
}
