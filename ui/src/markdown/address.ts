/** Where links lead and which images may be loaded. Everything that is not known to be harmless is refused. */

import { visible } from "./visible.ts";

export interface Policy {
  /** `thread.allowed_image_domains`: `example.com` is that host alone, `*.example.com` all below it. */
  readonly imageHosts: readonly string[];
}

export type Target =
  /** A `chatkit-link://name?key=value` for the page. */
  | { kind: "deeplink"; name: string; data: Record<string, string> }
  /** A place in the page itself. */
  | { kind: "fragment"; href: string }
  | { kind: "mail" | "phone"; href: string }
  | { kind: "web"; url: URL };

/** Control characters, and those that are invisible or turn the direction of writing. */
const DECEIVING =
  /[\p{Cc}\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\u{E0000}-\u{E0FFF}]|[\uFE00-\uFE0F]/u;
const ABSOLUTE = /^(https?:\/\/|mailto:|tel:|chatkit-link:\/\/)/i;

function pageUrl(): string {
  return typeof document === "undefined" ? "https://page.invalid/" : document.baseURI;
}

/** What a link's destination means; null for what is no allowed destination. */
export function targetOf(destination: string): Target | null {
  const href = destination.trim();
  if (DECEIVING.test(href)) return null;
  if (href.startsWith("#")) return { kind: "fragment", href };
  const scheme = ABSOLUTE.exec(href)?.[1]?.toLowerCase();
  // "//host" and "/\host" are other hosts.
  if (!scheme && !/^\/(?![/\\])/.test(href)) return null;
  if (scheme === "mailto:") return { kind: "mail", href };
  if (scheme === "tel:") return { kind: "phone", href };
  if (scheme === "chatkit-link://") return deeplink(href);
  const url = URL.parse(href, pageUrl());
  return url && /^https?:$/.test(url.protocol) ? { kind: "web", url } : null;
}

const POLLUTING: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

function deeplink(href: string): Target | null {
  const [, host = "", query = ""] = /^[^:]+:\/\/([^/?#]*)[^?#]*(?:\?([^#]*))?/.exec(href) ?? [];
  let name: string;
  try {
    name = decodeURIComponent(host);
  } catch {
    return null;
  }
  if (name === "" || DECEIVING.test(name) || POLLUTING.has(name)) return null;
  const pairs = [...new URLSearchParams(query)].filter(([key]) => !POLLUTING.has(key));
  return { kind: "deeplink", name, data: Object.fromEntries(pairs) };
}

const LONG_QUERY = 200;

/** Whether the reader should be asked first: the address hides where it leads, or much data goes with it. */
export function isSuspicious(url: URL, text: string): boolean {
  if (url.username || url.password || /(^|\.)xn--/.test(url.hostname)) return true;
  if (url.origin !== new URL(pageUrl()).origin && url.search.length > LONG_QUERY) return true;
  return namedHosts(text).some((host) => !isWithin(bare(url.hostname), bare(host)));
}

/** Hosts that a link's text names: URLs in it, or a text that is a domain as a whole and not a file's name. */
function namedHosts(text: string): string[] {
  const hosts = [...text.matchAll(/https?:\/\/([^\s/?#]+)/gi)].map(([, authority = ""]) =>
    authority.replace(/^.*@|:\d*$/g, ""),
  );
  const [, domain, top = ""] = /^((?:[\p{L}\p{N}-]+\.)+(\p{L}{2,}))(?:[/:?#]\S*)?$/u.exec(text.trim()) ?? [];
  if (domain && (/^www\./i.test(domain) || DOMAIN_ENDING.test(top))) hosts.push(domain);
  return hosts.map((host) => host.toLowerCase());
}

/** Countries and the usual others, without those that end names of files, such as "setup.py" or "README.md". */
const DOMAIN_ENDING =
  /^(?:com|org|net|gov|edu|mil|int|info|biz|app|dev|bank|shop|store|online|site|xyz|cloud|(?!cc|go|js|md|mk|pl|ps|py|rb|rs|sh|so|tf|ts|vb)\p{L}{2})$/iu;

function bare(host: string): string {
  return host.replace(/^www\./, "");
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

const RASTER = /^data:image\/(?:png|jpe?g|gif|webp|avif);base64,[A-Za-z0-9+/]+={0,2}$/i;

/** The address of an image that may be loaded, else null. */
export function imageAddress(destination: string, policy: Policy): string | null {
  const address = destination.trim();
  if (RASTER.test(address)) return address;
  const url = webUrl(address);
  if (!url || url.username || url.password) return null;
  const secure = url.protocol === "https:" || (url.protocol === "http:" && pageUrl().startsWith("http:"));
  return secure && policy.imageHosts.some((entry) => allows(entry, url.host)) ? url.href : null;
}

/** Whom the image of a destination would be asked from, as words for the reader. */
export function imageHost(destination: string): string {
  return webUrl(destination.trim())?.host ?? visible(destination.trim().slice(0, 40));
}

function webUrl(address: string): URL | null {
  return /^https?:\/\//i.test(address) && !DECEIVING.test(address) ? URL.parse(address) : null;
}

function allows(entry: unknown, host: string): boolean {
  if (typeof entry !== "string") return false;
  const domain = entry.trim().toLowerCase();
  if (domain.startsWith("*.")) return /^\*\.[^*.]+\.[^*]+$/.test(domain) && host.endsWith(domain.slice(1));
  return domain === host;
}
