/** A connection that is lost in the middle of what it is used for. */
import { fail } from "../../shared/model/outcome.ts";
import type { Server } from "../../shared/ports/server.ts";

/** It is lost right after this many statements took effect; the caller never hears of the last. */
export function losing(server: Server, afterStatements: number): Server {
  let left = afterStatements;
  return {
    authority: server.authority,
    readLog: (except, limits) => server.readLog(except, limits),
    close: () => server.close(),
    async query(sql, values, options) {
      if (left <= 0) return fail("transient", "cut off");
      left -= 1;
      const outcome = await server.query(sql, values, options);
      return left === 0 ? fail("transient", "cut off") : outcome;
    },
  };
}
