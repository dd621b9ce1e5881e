/** The crash sweep of adoption. */
import { crashCases } from "./crash-cases.ts";
import { WORKFLOWS } from "./workflows.ts";

crashCases(WORKFLOWS.slice(0, 1));
