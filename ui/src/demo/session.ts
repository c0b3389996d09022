/** Anonymous sessions from the demo server. On a page of your own this is your back end's work. */

export class DemoSessions {
  /** What the server serves. */
  workflows: readonly string[] = [];
  #first: string | null = null;

  /** `workflow` is the one to talk to; null lets the server choose. */
  constructor(public workflow: string | null) {}

  /** Learns what there is to talk to. Rejects with the server's words. */
  async open(): Promise<void> {
    this.#first = await this.#create();
  }

  /** For the element: a client secret of a session that is new, or as good as new. */
  readonly getClientSecret = async (): Promise<string> => {
    const secret = this.#first ?? (await this.#create());
    this.#first = null;
    return secret;
  };

  async #create(): Promise<string> {
    let response = await this.#ask();
    if (response.status === 404 && this.workflow) {
      // A link may name a workflow that the server no longer has.
      this.workflow = null;
      response = await this.#ask();
    }
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    this.workflow = answer.workflow;
    this.workflows = answer.workflows;
    return answer.client_secret;
  }

  #ask(): Promise<Response> {
    return fetch("/demo/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ workflow: this.workflow }),
    });
  }
}
