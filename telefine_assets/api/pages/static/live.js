// Runs that go on are followed by server-sent events; what arrives is shown as text and never as markup.

const SAID = { queued: "queued", started: "running", succeeded: "succeeded", failed: "failed", canceled: "stopped" };
const MOST = 3; // A browser keeps few connections to one server, and others need some.

function show(row, run) {
  const status = row.querySelector("[data-status]");
  row.dataset.state = run.status;
  status.textContent = SAID[run.status] ?? run.status;
  row.querySelector("[data-told]").textContent = run.error ?? run.progress ?? "";
}

function follow(row) {
  const events = new EventSource(row.dataset.events);
  events.addEventListener("run", (event) => show(row, JSON.parse(event.data)));
  events.addEventListener("end", (event) => {
    events.close();
    show(row, JSON.parse(event.data));
  });
}

for (const row of [...document.querySelectorAll("[data-events]")].slice(0, MOST)) follow(row);
