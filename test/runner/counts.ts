// Turns vitest's JSON report of one tier into three counts, so that nothing that went wrong is counted as nothing.
// A file that could not be loaded, a start-up that failed and a run that collected no test are failures, although
// vitest's own numbers do not show them as failed tests.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** One line for each thing that the numbers alone would not explain. */
  readonly notes: readonly string[];
}

export interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

export const nothing: Counts = { passed: 0, failed: 0, skipped: 0, notes: [] };

export function add(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    notes: [...a.notes, ...b.notes],
  };
}

const failure = (note: string): Counts => ({ ...nothing, failed: 1, notes: [note] });

/** Files whose failure is not one of their tests': an import that threw, or a hook. */
function brokenFiles(report: Report): readonly string[] {
  return report.testResults
    .filter((file) => file.status === "failed")
    .filter((file) => !file.assertionResults.some((test) => test.status === "failed"))
    .map((file) => `${file.name}: ${file.message.split("\n")[0] ?? ""}`);
}

export function countsOf(report: Report | undefined, exitCode: number, files: number): Counts {
  if (report === undefined) return failure(`vitest ended with ${exitCode} and left no report`);
  const broken = brokenFiles(report);
  const counts: Counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
    notes: broken,
  };
  if (counts.passed + counts.failed + counts.skipped === 0) {
    return failure(`${files} test files, but no test was collected`);
  }
  if (exitCode !== 0 && counts.failed === 0) {
    return add(
      counts,
      failure(`vitest ended with ${exitCode} although no test failed; see its output above`),
    );
  }
  return counts;
}
