#!/usr/bin/env node
import { ExitCode, run } from '@stricli/core';
import { app } from './app.ts';
import type { Context } from './context.ts';
import { WRONG_USE } from './exit.ts';

await run(app, process.argv.slice(2), { process: process as Context['process'] });

// Stricli's own codes for arguments that cannot be read.
const misuse: readonly unknown[] = [ExitCode.UnknownCommand, ExitCode.InvalidArgument];
if (misuse.includes(process.exitCode)) process.exitCode = WRONG_USE;
