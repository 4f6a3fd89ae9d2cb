// What the node's power was set to and when, for the event lane; asked once a minute.

const ASK_MS = 60000;

export class Power {
  /** `told` gets the changes, oldest first, when there are more than before. */
  constructor(feed, told) {
    this.feed = feed;
    this.told = told;
    this.askedAt = -Infinity;
    this.newest = -Infinity;
  }

  async follow() {
    if (performance.now() - this.askedAt < ASK_MS) return;
    this.askedAt = performance.now();
    const { changes } = (await this.feed.ask("/api/node/power")) ?? {};
    if (!changes?.length || changes.at(-1).at === this.newest) return;
    this.newest = changes.at(-1).at;
    this.told(changes);
  }
}
