// What is drawn of an answer's columns: a smooth line through them, and gaps where nothing ran.

const GAP_S = 120;

/** Bucket means under a centred bell of about a fiftieth of the stretch: smooth, without lag. */
export function smoothed(means) {
  const reach = Math.max(1, Math.round(means.length / 100));
  const bell = Array.from({ length: 2 * reach + 1 }, (_, at) => Math.exp(-2 * ((at - reach) / reach) ** 2));
  return means.map((mean, at) => {
    if (mean === null) return null;
    let [total, weight] = [0, 0];
    for (let near = Math.max(0, at - reach); near <= Math.min(means.length - 1, at + reach); near += 1) {
      if (means[near] === null) continue;
      total += means[near] * bell[near - at + reach];
      weight += bell[near - at + reach];
    }
    return total / weight;
  });
}

/** The answer with an empty bucket wherever nothing was trained for long, so lines break there. */
export function broken(answer) {
  const { time } = answer;
  const typical = time.length > 1 ? (time.at(-1) - time[0]) / time.length : 0;
  const cuts = new Set();
  for (let at = 1; at < time.length; at += 1) if (time[at] - time[at - 1] > Math.max(GAP_S, 8 * typical)) cuts.add(at);
  if (!cuts.size) return answer;
  const spread = (values, fill) => values.flatMap((value, at) => (cuts.has(at) ? [fill(at), value] : [value]));
  const metrics = Object.fromEntries(Object.entries(answer.metrics).map(([name, column]) => [name,
    Object.fromEntries(Object.entries(column).map(([kind, values]) => [kind, spread(values, () => null)]))]));
  return { ...answer, metrics, time: spread(time, (at) => time[at - 1] + 1), step: spread(answer.step, (at) => answer.step[at - 1]), first: spread(answer.first, (at) => answer.first[at - 1]) };
}
