// Hearing from the server: the status as a stream of events, and by asking where that fails.
//
// Ages are reckoned with the server's clock, as far as its last answer told it, so that a phone
// with a wrong clock judges alike. When the server falls silent, the page says so itself. A tab
// that nobody looks at lets its stream go: a browser keeps few of them to one address.

const LIVE_MS = 1000;
const ASK_AFTER_S = 3;
const LOST_AFTER_S = 8;
const TAGS_MAX = 16;

export class Feed {
  constructor(onLive) {
    this.onLive = onLive;
    this.held = false;
    this.live = null;
    this.etag = "";
    this.offset = 0;
    this.answeredAt = performance.now();
    this.etags = new Map();
    this.stream = null;
    this.missed = false;
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
    document.addEventListener("visibilitychange", () => this.listen());
    this.listen();
    for (;;) {
      if (!this.held && !document.hidden) {
        if (!this.live || this.missed || this.silence() > ASK_AFTER_S) await this.askLive();
        this.onLive(this.live);
      } else if (this.held) {
        this.answeredAt = performance.now();
      }
      await new Promise((resolve) => setTimeout(resolve, LIVE_MS));
    }
  }

  /** Open the stream while the page is looked at. It opens itself again after a break. */
  listen() {
    if (document.hidden) {
      this.stream?.close();
      this.stream = null;
    } else if (!this.stream) {
      this.stream = new EventSource("/api/stream");
      this.stream.addEventListener("same", () => this.heard());
      this.stream.addEventListener("live", (event) => {
        this.heard();
        this.missed = this.held;
        if (this.held) return;
        this.take(JSON.parse(event.data));
        this.onLive(this.live);
      });
      this.stream.addEventListener("error", () => {
        // Refused for good, as when too many listen: asking goes on, and another try comes with the next look.
        if (this.stream?.readyState === EventSource.CLOSED) this.stream = null;
      });
    }
  }

  heard() {
    this.answeredAt = performance.now();
  }

  take(live) {
    this.live = live;
    this.offset = live.now - Date.now() / 1000;
  }

  async askLive() {
    try {
      const headers = this.etag ? { "if-none-match": this.etag } : {};
      const answer = await fetch("/api/live", { headers, signal: AbortSignal.timeout(5000) });
      if (answer.status === 200) {
        this.take(await answer.json());
        this.etag = answer.headers.get("etag") ?? "";
      } else {
        await answer.text(); // an answer left unread counts as broken off
      }
      if (answer.ok || answer.status === 304) {
        this.missed = false;
        this.heard();
      }
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
      if (this.etags.size >= TAGS_MAX) this.etags.clear(); // addresses carry times: most never come again
      if (answer.headers.get("etag")) this.etags.set(path, answer.headers.get("etag"));
      return await answer.json();
    } catch {
      return null;
    }
  }
}
