/**
 * The files of the dashboard as answers. They hold nothing of any cluster, so anybody may have them; what the page may do in a
 * browser is limited to asking the place that it came from.
 */
import { PAGE, SCRIPT, STYLE } from "../../dashboard/page.generated.ts";
import type { HttpAnswer } from "./answers.ts";
import type { PageRoute } from "./routes.ts";

/** Nothing of others, nothing inline, no frame around it, and no text that becomes markup. The icon is in the page itself. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** `kept`: it may be, as long as it is asked each time whether it is still the same. */
function file(type: string, body: string, kept: boolean): HttpAnswer {
  const headers = {
    ...HEADERS,
    "content-type": `${type}; charset=utf-8`,
    "cache-control": kept ? "no-cache" : "no-store",
  };
  return { status: 200, headers, body };
}

export const dashboardPages: Readonly<Record<PageRoute, HttpAnswer>> = {
  home: {
    status: 302,
    headers: { ...HEADERS, location: "/dashboard", "cache-control": "no-store" },
    body: "",
  },
  dashboard: file("text/html", PAGE, false),
  dashboardScript: file("text/javascript", SCRIPT, true),
  dashboardStyle: file("text/css", STYLE, true),
};
