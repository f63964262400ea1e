import {
  ArgumentScannerError,
  buildApplication,
  buildRouteMap,
  formatMessageForArgumentScannerError,
  text_en as text,
  type ApplicationText,
} from '@stricli/core';
import { VERSION } from '../lib/version.ts';
import { callsCommand, labelCommand } from './calls/calls-commands.ts';
import {
  codecCommand,
  doctorCommand,
  setCurrentVersionCommand,
  setupCommand,
} from './deployment/deployment-commands.ts';
import { muteCommand, unmuteCommand } from './operations/mute-commands.ts';
import { listCommand, statusCommand } from './operations/read-commands.ts';
import { policyCommands } from './policies/policy-commands.ts';
import { devCommand } from './processes/dev-command.ts';
import { gatewayCommand, webhookCommand, workerCommand } from './processes/process-commands.ts';
import { keepMutedCommand } from './standing/keep-muted-command.ts';
import { muteOnEntryCommand } from './standing/mute-on-entry-command.ts';
import { releaseCommand } from './standing/release-command.ts';

/** The commands. Each loads its code when it runs, so that `--help` does not wait for Temporal's SDK. */
const commands = buildRouteMap({
  routes: {
    mute: muteCommand,
    unmute: unmuteCommand,
    keepMuted: keepMutedCommand,
    muteOnEntry: muteOnEntryCommand,
    release: releaseCommand,
    status: statusCommand,
    list: listCommand,
    calls: callsCommand,
    label: labelCommand,
    policy: policyCommands,
    worker: workerCommand,
    webhook: webhookCommand,
    gateway: gatewayCommand,
    setup: setupCommand,
    doctor: doctorCommand,
    codec: codecCommand,
    setCurrentVersion: setCurrentVersionCommand,
    dev: devCommand,
  },
  docs: { brief: 'Mutes and unmutes an application in Microsoft Teams and Graph group calls, durably' },
});

/** Names the flag whose value is invalid as the user has written it. Only flags have values that are parsed. */
const invalidFlag: ApplicationText['exceptionWhileParsingArguments'] = function invalidFlag(error, ansiColor) {
  if (!(error instanceof ArgumentScannerError)) return text.exceptionWhileParsingArguments.call(this, error, ansiColor);
  return formatMessageForArgumentScannerError(error, {
    ArgumentParseError: ({ externalFlagNameOrPlaceholder: flag, input, exception }) =>
      `--${flag} "${input}" is invalid: ${exception instanceof Error ? exception.message : String(exception)}`,
  });
};

export const app = buildApplication(commands, {
  name: 'call-moderation',
  versionInfo: { currentVersion: VERSION },
  localization: { text: { ...text, exceptionWhileParsingArguments: invalidFlag } },
  scanner: { caseStyle: 'allow-kebab-for-camel' },
  documentation: { caseStyle: 'convert-camel-to-kebab', useAliasInUsageLine: false },
});
