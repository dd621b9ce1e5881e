/** Events as AWS hands them to a function, in the forms that its documentation shows. */

export interface HttpEventOptions {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly query?: string;
  /** API Gateway sends what it does not take for text in base64. */
  readonly base64?: boolean;
}

/** Payload format 2.0, of an HTTP API as of a function URL. */
export function httpEvent({
  method,
  path,
  headers = {},
  body,
  query = "",
  base64 = false,
}: HttpEventOptions) {
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: query,
    headers: { "x-forwarded-proto": "https", "x-forwarded-port": "443", ...headers },
    requestContext: {
      ...{ accountId: "123456789012", apiId: "a1b2c3", domainName: "a1b2c3.execute-api.example" },
      http: { method, path, protocol: "HTTP/1.1", sourceIp: "203.0.113.7", userAgent: "curl/8" },
      ...{ requestId: "id", routeKey: "$default", stage: "$default", timeEpoch: 1_764_000_000_000 },
    },
    ...(body !== undefined && { body: base64 ? Buffer.from(body).toString("base64") : body }),
    isBase64Encoded: base64,
  };
}

const ticked = {
  ...{ version: "0", id: "9c7e8f6a-0000-4000-8000-000000000000", "detail-type": "Scheduled Event" },
  ...{ account: "123456789012", time: "2026-11-28T09:00:00Z", region: "eu-central-1" },
};

/** The three forms of a tick. `type` is what our own input says. */
export function tickEvents(type: string): Readonly<Record<string, unknown>> {
  const [group, rule] = [
    "arn:aws:scheduler:eu-central-1:123456789012:schedule/x/y",
    "arn:aws:events:…:rule/x",
  ];
  return {
    "of Scheduler without an input": { ...ticked, source: "aws.scheduler", resources: [group], detail: "{}" },
    "of a rule": { ...ticked, source: "aws.events", resources: [rule], detail: {} },
    "of Scheduler with our input": {
      ...{ specversion: "1.0", id: "d3f7c7c5-0000-4000-8000-000000000000", source: group, type },
      time: "2026-11-28T09:00:00Z",
    },
  };
}
