/**
 * Adds up what .ci/run has seen and prints `N passed, N failed` as the last line; exits with 1 if anything failed.
 *
 * A command that failed without a report, or with a report that counts no failure (a crash, an unhandled rejection),
 * counts as one failure: a non-zero exit code never disappears in the sum. A run of no tests is a failure, too. The failed
 * tests are named once more before the sums, with what they said: of a long log often only the end is kept.
 *
 * Arguments: the tests' JSON report, exit code of the tests, the summary of `check`, exit code of `check`,
 * exit code of the demo, exit code of the crash run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Lines of a failure's message that are repeated, and characters of each. */
const MESSAGE_LINES = 8;
const LINE_CHARACTERS = 400;

const [testReportPath, testStatus, checkSummaryPath, checkStatus, demoStatus, crashStatus] = process.argv.slice(2);

function readCounts(path, status, pick) {
  const counts = existsSync(path) ? pick(JSON.parse(readFileSync(path, 'utf8'))) : { passed: 0, failed: 0, skipped: 0 };
  const ranNothing = counts.passed + counts.failed === 0;
  if ((Number(status) !== 0 || ranNothing) && counts.failed === 0) counts.failed = 1;
  return counts;
}

const tests = readCounts(testReportPath, testStatus, (report) => ({
  passed: report.numPassedTests,
  // A file that cannot be loaded fails without any of its tests having run.
  failed:
    report.numFailedTests +
    report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length,
  skipped: report.numPendingTests + report.numTodoTests,
}));
const check = readCounts(checkSummaryPath, checkStatus, (summary) => ({ ...summary, skipped: 0 }));

printFailures(testReportPath);

const countOf = (status) => (Number(status) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
const demo = countOf(demoStatus);
const crash = countOf(crashStatus);

const passed = tests.passed + check.passed + demo.passed + crash.passed;
const failed = tests.failed + check.failed + demo.failed + crash.failed;
console.log(`tests: ${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`);
console.log(`check: ${check.passed} passed, ${check.failed} failed`);
console.log(`demo: ${demo.passed} passed, ${demo.failed} failed`);
console.log(`crash: ${crash.passed} passed, ${crash.failed} failed`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function printFailures(path) {
  if (!existsSync(path)) return;
  for (const file of JSON.parse(readFileSync(path, 'utf8')).testResults) {
    const name = relative(process.cwd(), file.name);
    if (file.status === 'failed' && file.assertionResults.length === 0) printFailure(name, file.message);
    for (const test of file.assertionResults) {
      if (test.status === 'failed') printFailure(`${name} > ${test.fullName}`, test.failureMessages.join('\n'));
    }
  }
}

function printFailure(name, message) {
  console.log(`FAILED ${name}`);
  for (const line of stripVTControlCharacters(message).split('\n').slice(0, MESSAGE_LINES)) {
    console.log(`  ${line.slice(0, LINE_CHARACTERS)}`);
  }
}
