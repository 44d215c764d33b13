// Asks the node to compute an answer's attribution anew, and shows what agrees with the receipt and what does not.
// What it shows is the node's own word; the command beside the button needs nobody's.
const WORDS = { true: "agrees", false: "disagrees", null: "cannot be told" };

const button = document.getElementById("recompute");
const verdict = document.getElementById("recompute-verdict");
const table = document.getElementById("recompute-findings");

button?.addEventListener("click", async () => {
  button.disabled = true;
  verdict.textContent = "The node computes the attribution anew; that takes as long as the first time.";
  try {
    const response = await fetch(`/v1/attribution/${button.dataset.request}/recompute`, { method: "POST" });
    const body = await response.json();
    if (!response.ok) throw new Error(body.error?.message ?? `status ${response.status}`);
    show(body);
  } catch (error) {
    verdict.textContent = `It could not be computed: ${error.message}`;
  } finally {
    button.disabled = false;
  }
});

function show(body) {
  table.tBodies[0].replaceChildren(...body.findings.map(row));
  table.hidden = false;
  const wrong = body.findings.filter((one) => one.agrees === false).length;
  if (body.agrees) verdict.textContent = `All ${body.findings.length} findings agree with the receipt.`;
  else if (wrong) verdict.textContent = `${wrong} of ${body.findings.length} findings disagree with the receipt.`;
  else verdict.textContent = "Nothing disagrees, but not all of it can be told.";
}

function row(finding) {
  const line = document.createElement("tr");
  line.dataset.agrees = String(finding.agrees);
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = finding.name;
  line.append(name, ...[WORDS[finding.agrees], finding.expected, finding.found].map(cell));
  return line;
}

function cell(text) {
  const made = document.createElement("td");
  made.textContent = text;
  return made;
}
