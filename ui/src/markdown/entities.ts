/** HTML's character references in text: numbers, and the names that people and models write. */

/** From U+00A0 on. */
const LATIN =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para " +
  "middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave " +
  "Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc " +
  "Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc " +
  "iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/** From U+03B1 on; with a capital first letter from U+0391. */
const GREEK =
  "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau upsilon phi chi " +
  "psi omega";

const OTHERS =
  "amp& lt< gt> quot\" apos' ensp\u2002 emsp\u2003 thinsp\u2009 ndash– mdash— lsquo‘ rsquo’ sbquo‚ ldquo“ rdquo” bdquo„ " +
  "dagger† Dagger‡ bull• hellip… permil‰ prime′ Prime″ lsaquo‹ rsaquo› euro€ trade™ larr← uarr↑ rarr→ darr↓ harr↔ lArr⇐ " +
  "rArr⇒ hArr⇔ forall∀ part∂ exist∃ empty∅ nabla∇ isin∈ notin∉ prod∏ sum∑ minus− radic√ prop∝ infin∞ ang∠ and∧ or∨ cap∩ " +
  "cup∪ int∫ there4∴ sim∼ cong≅ asymp≈ ne≠ equiv≡ le≤ ge≥ sub⊂ sup⊃ sube⊆ supe⊇ oplus⊕ otimes⊗ perp⊥ sdot⋅ check✓ " +
  "OElig\u0152 oelig\u0153 Scaron\u0160 scaron\u0161 fnof\u0192 lozenge\u25CA hearts\u2665";

let names: Map<string, string> | undefined;

function named(name: string): string | undefined {
  names ??= new Map(allNames());
  return names.get(name);
}

function* allNames(): Generator<[string, string]> {
  for (const entry of OTHERS.split(/ (?=[a-zA-Z])/)) yield [entry.slice(0, -1), entry.slice(-1)];
  for (const [n, latin] of LATIN.split(" ").entries()) yield [latin, String.fromCodePoint(0xa0 + n)];
  for (const [n, greek] of GREEK.split(" ").entries()) {
    yield [greek, String.fromCodePoint(0x3b1 + n)];
    if (greek !== "sigmaf") yield [greek[0]!.toUpperCase() + greek.slice(1), String.fromCodePoint(0x391 + n)];
  }
}

/** Unknown names stay as they are; numbers that are no character become U+FFFD. */
export function decode(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-zA-Z]\w{1,31}));/g, (match, decimal, hex, name) => {
    if (name) return named(name) ?? match;
    const code = decimal ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16);
    return code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? "\uFFFD" : String.fromCodePoint(code);
  });
}
