/** Dictation, for those who use it. */

export { default as styles } from "../styles/dictation.css";
export { Dictation } from "../views/composer/dictation.ts";
