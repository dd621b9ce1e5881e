/** Every workflow but adoption, which has a file of its own so that both can run side by side. */
import { crashCases } from "./crash-cases.ts";
import { WORKFLOWS } from "./workflows.ts";

crashCases(WORKFLOWS.slice(1));
