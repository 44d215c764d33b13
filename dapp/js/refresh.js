// After an action the server renders the same page anew, and the parts that changed take the place of the old ones:
// numbers have one renderer, and it is not this script.
export async function refreshParts(...selectors) {
  const response = await fetch(location.pathname);
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const selector of selectors) {
    const now = document.querySelector(selector);
    const next = fresh.querySelector(selector);
    if (now && next) now.replaceWith(document.adoptNode(next));
  }
}
