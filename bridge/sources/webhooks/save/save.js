"use strict";
// The owner's token is asked for once and kept in this browser; it is sent in a header and nowhere else.
const form = document.getElementById("save");
const output = form.querySelector("output");
const line = document.getElementById("token-line");
line.hidden = Boolean(localStorage.getItem("token"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const {token, ...fields} = Object.fromEntries(new FormData(form));
  const key = token || localStorage.getItem("token") || "";
  output.textContent = "…";
  let answer, said;
  try {
    answer = await fetch("/save", {
      method: "POST",
      headers: {"Authorization": "Bearer " + key, "Content-Type": "application/json"},
      body: JSON.stringify(fields),
    });
    said = await answer.json();
  } catch (error) {
    output.textContent = "Not saved: bridge does not answer.";
    return;
  }
  if (answer.status === 401) {
    localStorage.removeItem("token");
    line.hidden = false;
    const what = key ? "This token is not right." : "A token is needed.";
    output.textContent = what + " It stands " + form.dataset.tokenStands + ".";
    return;
  }
  localStorage.setItem("token", key);
  line.hidden = true;
  const words = {accepted: "Saved.", known: "Saved already.", empty: "There was nothing to save."};
  output.textContent = words[said.status] || "Not saved: " + said.error;
});
