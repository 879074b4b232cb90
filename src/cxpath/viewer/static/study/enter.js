/** The entrance: brings a token to the server, from the field or from the link's fragment, which no server sees. */

import { byId } from "../dom.js";
import { post, ServerError } from "../server.js";

async function enter(token) {
  const trouble = byId("trouble");
  trouble.hidden = true;
  try {
    await post("/api/enter", { token });
    location.replace("/");
  } catch (error) {
    trouble.textContent = error instanceof ServerError ? error.sentence : "The server cannot be reached. Try again.";
    trouble.hidden = false;
    byId("token").focus();
  }
}

byId("entrance").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(byId("token").value.trim());
});

/** Enter with the token of the link, which does not stay in the address. */
function enterByLink() {
  const token = decodeURIComponent(location.hash.slice(1));
  if (!token) return false;
  history.replaceState(null, "", location.pathname);
  byId("token").value = token;
  enter(token);
  return true;
}

window.addEventListener("hashchange", enterByLink);
if (!enterByLink()) byId("token").focus();
