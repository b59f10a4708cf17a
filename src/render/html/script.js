"use strict";
{
  const form = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const flows = Array.from(document.querySelectorAll(".flow"), (element) => ({
    element,
    text: element.textContent.toLowerCase(),
    classes: new Set(Array.from(element.querySelectorAll(".steps li")).flatMap((step) => Array.from(step.classList))),
  }));
  const filter = () => {
    const text = form.elements.text.value.trim().toLowerCase();
    const action = form.elements.action.value;
    let count = 0;
    for (const flow of flows) {
      const matches = flow.text.includes(text) && (!action || flow.classes.has(action));
      flow.element.hidden = !matches;
      count += matches ? 1 : 0;
    }
    shown.value = `${count} of ${flows.length} flows`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
