/** The form of the assistant's questions, which few threads have. */

export { default as styles } from "../styles/input_form.css";
export { StructuredInputForm } from "../views/input_form.ts";
