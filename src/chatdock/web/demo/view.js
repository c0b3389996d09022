// The frame around the transcript: sidebar, composer, status. It shows a state and reports what the reader wants.
import { h, icon, iconButton } from "./dom.js";
import { itemView } from "./items.js";

const NEAR_END = 80; // pixels within which the view follows what is being written
const byId = (id) => document.getElementById(id);

export class View {
  #act;
  #views = new Map(); // item id → {view, item, open}
  #following = true;
  #frame = 0;
  #shown = null;

  /** `act`: send, stop, retry, open, create, rename, remove, more, pick, and those of items (rate, answer, widget). */
  constructor(act) {
    this.#act = act;
    const icons = { "open-sidebar": "menu", "close-sidebar": "close", send: "send", stop: "stop", latest: "down" };
    for (const [id, name] of Object.entries(icons)) byId(id).append(icon(name));
    byId("new-chat").prepend(icon("plus"));
    this.#wireComposer();
    this.#wireSidebar();
    this.#wireScroll();
  }

  /** Shows a state with the next frame of the screen; many events between two frames are drawn once. */
  show(state) {
    this.#shown = state;
    document.body.dataset.status = state.running ? "streaming" : state.loading ? "loading" : "ready";
    document.body.dataset.open = state.thread?.id ?? "";
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw(this.#shown);
    });
  }

  /** A line about the page itself: a lost connection, a list that did not load. Empty to clear. */
  say(text) {
    byId("status").textContent = text;
  }

  focusComposer() {
    if (matchMedia("(pointer: fine)").matches) byId("composer").focus();
  }

  /** Puts a message that was not sent back in front of what has been written since. */
  restoreDraft(text) {
    const composer = byId("composer");
    composer.value = composer.value.trim() ? `${text}\n${composer.value}` : text;
    composer.dispatchEvent(new Event("input"));
  }

  followEnd() {
    this.#following = true;
  }

  showThreads(threads, currentId, hasMore) {
    const focused = document.activeElement?.closest?.("li[data-thread]")?.dataset.thread;
    const rows = threads.map((thread) => {
      const title = thread.title || "New chat";
      const current = thread.id === currentId ? "page" : null;
      const open = () => this.#leaveSidebar(() => this.#act.open(thread.id));
      return h(
        "li",
        { "data-thread": thread.id },
        h("button", { type: "button", class: "open", "data-action": "open", "aria-current": current, onclick: open }, title),
        iconButton("rename", `Rename “${title}”`, () => this.#rename(thread), { "data-action": "rename" }),
        iconButton("remove", `Delete “${title}”`, () => this.#remove(thread), { "data-action": "delete" }),
      );
    });
    byId("threads").replaceChildren(...rows);
    byId("more-threads").hidden = !hasMore;
    if (focused) byId("threads").querySelector(`[data-thread="${CSS.escape(focused)}"] button`)?.focus();
  }

  showWorkflows(workflows, current) {
    const picker = byId("workflow");
    picker.replaceChildren(...workflows.map((id) => h("option", { value: id, selected: id === current }, id)));
    picker.disabled = workflows.length < 2;
  }

  #draw(state) {
    const { items, thread, running, progress, loading } = state;
    byId("title").textContent = thread?.title || "New chat";
    byId("empty").hidden = loading || items.length > 0;
    this.#drawItems(state);

    const writing = items.some((item) => item.type === "assistant_message" && state.open.includes(item.id));
    const waiting = byId("progress");
    waiting.hidden = !running || (writing && !progress);
    const text = progress?.text ?? "Waiting for the answer";
    if (waiting.textContent !== text) waiting.textContent = text;
    waiting.toggleAttribute("data-quiet", !progress);

    const closed = ["locked", "closed"].includes(thread?.status?.type) ? thread.status : null;
    byId("closed").hidden = !closed;
    byId("closed").textContent = closed ? `This conversation is ${closed.type}.${closed.reason ? ` ${closed.reason}` : ""}` : "";
    byId("composer").disabled = closed !== null;
    byId("send").hidden = running;
    byId("stop").hidden = !running;
    byId("stop").disabled = !state.allowCancel || !thread;
    this.#allowSending();
    for (const button of document.querySelectorAll("[data-idle]")) button.disabled = running || closed !== null;
    if (this.#following) byId("scroll").scrollTop = byId("scroll").scrollHeight;
    this.#showLatest();
  }

  #drawItems(state) {
    const transcript = byId("transcript");
    const types = new Map(state.items.map((item) => [item.id, item.type]));
    for (const [id, { view, item }] of this.#views) {
      if (types.get(id) === item.type) continue;
      view.node.remove();
      this.#views.delete(id);
    }
    let place = transcript.firstElementChild;
    for (const item of state.items) {
      const open = state.open.includes(item.id);
      let known = this.#views.get(item.id);
      if (!known) {
        const context = { act: this.#act, origin: location.origin };
        known = { view: itemView(item, context), context };
        known.view.node.dataset.item = item.id;
        this.#views.set(item.id, known);
      }
      if (known.item !== item || known.open !== open) known.view.update(item, { ...known.context, open });
      Object.assign(known, { item, open });
      if (known.view.node === place) place = place.nextElementSibling;
      else transcript.insertBefore(known.view.node, place);
    }
  }

  #wireComposer() {
    const composer = byId("composer");
    const send = () => {
      const text = composer.value.trim();
      if (!text || byId("send").disabled) return;
      composer.value = "";
      composer.dispatchEvent(new Event("input"));
      composer.focus(); // the button that was pressed gives way to Stop
      this.followEnd();
      this.#act.send(text);
    };
    composer.addEventListener("input", () => {
      composer.style.height = "auto";
      composer.style.height = `${composer.scrollHeight}px`;
      this.#allowSending();
    });
    composer.addEventListener("keydown", (event) => {
      // 229: Safari ends a composition before it reports the Enter that ended it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      send();
    });
    byId("form").addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    byId("stop").addEventListener("click", () => this.#act.stop());
    byId("workflow").addEventListener("change", (event) => this.#act.pick(event.target.value));
  }

  #allowSending() {
    const { running, loading } = this.#shown ?? { loading: true };
    byId("send").disabled = running || loading || byId("composer").disabled || !byId("composer").value.trim();
  }

  #wireSidebar() {
    const narrow = matchMedia("(max-width: 760px)");
    const set = (open) => {
      document.body.toggleAttribute("data-sidebar", open);
      byId("backdrop").hidden = !open;
      byId("open-sidebar").setAttribute("aria-expanded", String(open));
      byId("sidebar").inert = narrow.matches && !open;
      document.querySelector("main").inert = open;
    };
    const close = () => {
      set(false);
      byId("open-sidebar").focus();
    };
    byId("open-sidebar").addEventListener("click", () => {
      set(true);
      byId("close-sidebar").focus();
    });
    byId("close-sidebar").addEventListener("click", close);
    byId("backdrop").addEventListener("click", close);
    document.addEventListener("keydown", (event) => event.key === "Escape" && "sidebar" in document.body.dataset && close());
    byId("new-chat").addEventListener("click", () => this.#leaveSidebar(() => this.#act.create()));
    byId("more-threads").addEventListener("click", () => this.#act.more());
    narrow.addEventListener("change", () => set(false));
    set(false);
    this.#leaveSidebar = (then) => {
      set(false);
      then();
    };
  }

  #leaveSidebar = (then) => then();

  #wireScroll() {
    const scroll = byId("scroll");
    let last = 0;
    scroll.addEventListener("scroll", () => {
      const fromEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;
      // Only the reader scrolls up; text that grows below must not count as leaving the end.
      if (fromEnd < NEAR_END) this.#following = true;
      else if (scroll.scrollTop < last) this.#following = false;
      last = scroll.scrollTop;
      this.#showLatest();
    });
    byId("latest").addEventListener("click", () => {
      this.#following = true;
      const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
      scroll.scrollTo({ top: scroll.scrollHeight, behavior: smooth ? "smooth" : "auto" });
    });
    new ResizeObserver(() => this.#following && (scroll.scrollTop = scroll.scrollHeight)).observe(scroll);
  }

  #showLatest() {
    const scroll = byId("scroll");
    byId("latest").hidden = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END;
  }

  async #rename(thread) {
    const input = byId("rename-title");
    input.value = thread.title ?? "";
    if ((await ask(byId("rename"))) && input.value.trim()) this.#act.rename(thread.id, input.value.trim());
  }

  async #remove(thread) {
    byId("delete-title").textContent = thread.title || "New chat";
    if (await ask(byId("delete"))) this.#act.remove(thread.id);
  }
}

/** Opens a dialog and resolves to whether its form was submitted; Escape and Cancel mean no. */
function ask(dialog) {
  const asked = new AbortController();
  const { signal } = asked;
  return new Promise((resolve) => {
    let agreed = false;
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      agreed = true;
      dialog.close();
    }, { signal });
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close(), { signal });
    dialog.addEventListener("close", () => {
      asked.abort();
      resolve(agreed);
    }, { signal });
    dialog.showModal();
  });
}
