// The print button works with this script only, so it shows with it only.

const button = document.getElementById("print");
button.hidden = false;
button.addEventListener("click", () => window.print());
