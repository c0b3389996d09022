/** What somebody writes into a page of their own to get the chat that they see. */

import { type Choices, lookOf } from "./choices.ts";

/** HTML with the script tag, the element and its options. `scheme` is the one that is shown. */
export function snippet(origin: string, choices: Choices, scheme: "light" | "dark"): string {
  const look = Object.entries(lookOf(choices, scheme)).map(([name, value]) => `    ${name}: ${literal(value)},\n`);
  return `<script src="${origin}/deployments/chatkit/chatkit.js"></script>

<openai-chatkit id="chat"></openai-chatkit>

<script type="module">
  document.getElementById("chat").setOptions({
    api: {
      async getClientSecret() {
        // Your back end creates the session, with its API key.
        const response = await fetch("/chatkit/session", { method: "POST" });
        return (await response.json()).client_secret;
      },
    },
${look.join("")}  });
</script>
`;
}

/** As a person would write it in JavaScript. */
function literal(value: unknown, indent = "    "): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${indent}  ${name}: ${literal(member, `${indent}  `)},\n`,
  );
  return `{\n${members.join("")}${indent}}`;
}
