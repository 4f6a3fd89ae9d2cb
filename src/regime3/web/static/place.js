// What was chosen on a page, kept in the address: a reload or a shared link shows the same.

const choices = () => new URLSearchParams(location.hash.slice(1));

export const chosen = (name) => choices().get(name) ?? "";

export function choose(name, value) {
  const all = choices();
  if (value) all.set(name, value);
  else all.delete(name);
  history.replaceState(null, "", `${location.pathname}${location.search}${all.size ? `#${all}` : ""}`);
}
