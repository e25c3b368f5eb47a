// Lets people see the password that they type.

for (const part of document.querySelectorAll(".password")) {
  const input = part.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-plain btn-flush";
  button.textContent = part.dataset.show;
  button.setAttribute("aria-controls", input.id);
  button.addEventListener("click", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.textContent = shown ? part.dataset.show : part.dataset.hide;
  });
  part.append(button);
  // A browser must not keep a password as the text of a form.
  input.form.addEventListener("submit", () => { input.type = "password"; });
}
