/** The ticket that each try to open a socket needs: visits/live/PROTOCOL.md, "Tickets". Any form of the page has a token. */

const ADDRESS = "/socket-ticket/";
/** What a refusal means, as the socket itself would have closed. */
const CLOSES = {401: 4401, 429: 4429};

let token = "";

/** No ticket; `closes` is the close code that it comes to. */
export class NoTicket extends Error {
  constructor(status) {
    super(`ticket: ${status}`);
    this.name = "NoTicket";
    this.closes = CLOSES[status] ?? 1006;
  }
}

/** A ticket to the socket at `path`. Rejects with a NoTicket, or as fetch does where there is no answer. */
export async function fetchTicket(path, signal) {
  token ||= document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  let answer = await post(path, signal);
  if (answer.status === 403) {
    // Somebody has signed in meanwhile in another tab: no token of before is good any more.
    token = (await read(await fetch(ADDRESS, {signal}))).token;
    answer = await post(path, signal);
  }
  return (await read(answer)).ticket;
}

function post(path, signal) {
  return fetch(ADDRESS, {method: "POST", headers: {"X-CSRFToken": token}, body: new URLSearchParams({path}), signal});
}

async function read(answer) {
  if (!answer.ok) throw new NoTicket(answer.status);
  return answer.json();
}
