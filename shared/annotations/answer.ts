/** How requests are answered whose course is remembered elsewhere than in the state. */
import type { RequestAnswer } from "../model/request.ts";
import { oneLine } from "./text.ts";

const MESSAGE_MAX = 200;

export function answer(status: RequestAnswer["status"], message: string | null): RequestAnswer {
  return { status, message: message && oneLine(message, MESSAGE_MAX) };
}
