#!/usr/bin/env node
import { ExitCode, run } from '@stricli/core';
import { app } from './app.ts';
import type { Context } from './context.ts';
import { FAILED, printJson, WRONG_USE } from './exit.ts';
import { describeUncaught } from '../lib/exit-on-error.ts';

describeUncaught();

const args = process.argv.slice(2);
let said = '';
const surroundings: Context['process'] = {
  stdout: process.stdout,
  stderr: {
    write: (text: string) => {
      said += text;
      process.stderr.write(text);
    },
  },
  env: process.env,
};
await run(app, args, { process: surroundings });

// Stricli has exit codes of its own for invalid arguments and for its own errors; they are mapped to ours.
const code = Number(surroundings.exitCode);
const isMisuse = code === ExitCode.UnknownCommand || code === ExitCode.InvalidArgument;
if (isMisuse) {
  process.stderr.write(
    code === ExitCode.UnknownCommand
      ? '\nTo see the commands, run call-moderation --help.\n'
      : '\nTo see what a command takes, add --help to it.\n',
  );
}
if (isMisuse && args.includes('--json')) {
  printJson({ process: surroundings }, { error: { type: 'WrongUse', message: said.trim(), details: {} } });
}
process.exitCode = isMisuse ? WRONG_USE : code < 0 ? FAILED : code;
