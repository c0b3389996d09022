/** Chatdock's chat without a screen: for other frameworks, React Native, tests. Needs `fetch` and streams, no DOM. */

export * from "./accept.ts";
export * from "./conversation.ts";
export { type Failure, failureOf, StreamError } from "./failure.ts";
export * from "./history.ts";
export { type ConversationOptions, createConversation } from "./open-conversation.ts";
export { createHistory } from "./open-history.ts";
export { type Api, checkOptions, type Options, sameOptions, type UploadStrategy } from "./options.ts";
export { reduce } from "./reduce.ts";
export { createTransport, sameServer, type TransportSettings, uploadStrategyOf } from "./server.ts";
export { type Frame, readFrames, SseParser } from "./sse.ts";
export * from "./transcript.ts";
export * from "./transport.ts";
export { type UploadSettings, upload } from "./uploads.ts";
export type * from "./wire.ts";
