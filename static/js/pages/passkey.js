// Passkeys (WebAuthn). A press asks our server for a challenge, the browser for the answer, and sends it in the hidden
// field beside the button. Where the browser has no passkeys there is no button.

const BINARY = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

if (window.PublicKeyCredential) {
  for (const part of document.querySelectorAll("[data-passkey]")) {
    part.hidden = false;
    part.querySelector("button").addEventListener("click", () => use(part));
  }
}

async function use(part) {
  const { form } = part.querySelector("input");
  const trouble = part.querySelector("[role=alert]");
  const button = part.querySelector("button");
  trouble.textContent = "";
  button.disabled = true;
  try {
    const credential = await ask(part.dataset, form.elements.csrfmiddlewaretoken.value);
    part.querySelector("input").value = JSON.stringify(encoded(credential));
    form.submit();
  } catch (error) {
    trouble.textContent = part.dataset[error.name === "InvalidStateError" ? "known" : "failed"];
    button.disabled = false;
    button.focus();
  }
}

async function ask({ passkey, options }, token) {
  const answer = await fetch(options, { method: "POST", headers: { "X-CSRFToken": token } });
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  const publicKey = decoded(await answer.json());
  return passkey === "create" ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey });
}

function decoded(options) {
  const descriptors = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  return {
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
    ...(options.allowCredentials && { allowCredentials: descriptors(options.allowCredentials) }),
    ...(options.excludeCredentials && { excludeCredentials: descriptors(options.excludeCredentials) }),
  };
}

function encoded(credential) {
  const { response } = credential;
  const parts = BINARY.filter((name) => response[name]).map((name) => [name, text(response[name])]);
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: { ...Object.fromEntries(parts), transports: response.getTransports?.() ?? [] },
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
}

function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
