/** "Copy" buttons: `data-copy` names the field, `data-copied` is the word for a while after. */

const BACK_AFTER = 3000;

document.addEventListener("click", async ({target}) => {
  const button = target.closest?.("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  await navigator.clipboard.writeText(field.value);
  const word = button.textContent;
  button.textContent = button.dataset.copied;
  document.getElementById("status").textContent = button.dataset.copied;
  setTimeout(() => (button.textContent = word), BACK_AFTER);
});
