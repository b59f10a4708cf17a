"use strict";
{
  const form = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const flows = Array.from(document.querySelectorAll(".flow"), (element) => ({
    element,
    text: element.textContent.toLowerCase(),
    kinds: new Set(Array.from(element.querySelectorAll("[data-kind]"), (step) => step.dataset.kind)),
  }));
  const differs = ["enable", "replace", "disable", "unknown"];
  const filter = () => {
    const text = form.elements.text.value.trim().toLowerCase();
    const action = form.elements.action.value;
    const wanted = action === "differs" ? differs : [action];
    let count = 0;
    for (const flow of flows) {
      const fits = flow.text.includes(text) && (!action || wanted.some((kind) => flow.kinds.has(kind)));
      flow.element.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.value = `${count} of ${flows.length} flows`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
