/** Formulas: TeX to MathML by KaTeX, as nodes. */

import * as katex from "katex";

/** Nodes of KaTeX's tree that come from elements. */
interface VirtualNode {
  attributes?: Record<string, string>;
  children?: VirtualNode[];
  toNode(): Node;
}

/** Not in KaTeX's types: what its `render` makes nodes of. */
const { __renderToDomTree: renderToTree } = katex as unknown as {
  __renderToDomTree(tex: string, options: katex.KatexOptions): VirtualNode;
};

const MAX_LENGTH = 5_000;
const LIMITS = {
  output: "mathml",
  throwOnError: true,
  trust: false,
  strict: false,
  maxExpand: 500,
  maxSize: 20,
} as const;

/** The formula, or null when KaTeX cannot read it. */
export function formula(tex: string, display: boolean): Node | null {
  if (tex.length > MAX_LENGTH) return null;
  try {
    const tree = renderToTree(tex, { ...LIMITS, displayMode: display });
    takeStyles(tree);
    const node = tree.toNode() as HTMLElement;
    for (const styled of node.querySelectorAll<HTMLElement>("[data-style]")) {
      styled.style.cssText = styled.dataset.style ?? "";
      delete styled.dataset.style;
    }
    return node;
  } catch {
    return null;
  }
}

/** A content security policy forbids style attributes, but not styles that a script sets. */
function takeStyles({ attributes, children }: VirtualNode): void {
  if (attributes?.style !== undefined) {
    attributes["data-style"] = attributes.style;
    delete attributes.style;
  }
  children?.forEach(takeStyles);
}
