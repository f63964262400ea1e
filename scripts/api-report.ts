import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type ExtractorMessage,
} from '@microsoft/api-extractor';

/**
 * Writes `etc/api/*.api.md`: what each entry point of the package exports, without prose, so that a diff shows every change
 * of the public API. With `--check` it writes nothing, and fails if a report is out of date.
 *
 * In both modes it fails if an exported name or a method has no docstring, or if a signature names a type that no entry
 * point exports.
 */

const ROOT = join(import.meta.dirname, '..');
const TYPES = join(ROOT, '.cache/api-types');
const REPORTS = join(ROOT, 'etc/api');
const MADE = join(ROOT, '.cache/api-reports');

interface Entry {
  name: string;
  declarations: string;
}

function entryPoints(): Entry[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string }>;
  };
  return Object.entries(exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return [];
    const name = path === '.' ? 'call-moderation' : path.slice('./'.length);
    return [{ name, declarations: target.types.replace('./dist', TYPES) }];
  });
}

function configOf({ name, declarations }: Entry): ExtractorConfig {
  const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
    compilerOptions: object;
  };
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: ROOT,
      mainEntryPointFilePath: declarations,
      // Its own TypeScript reads the declarations, so only they are compiled with it.
      compiler: { overrideTsconfig: { compilerOptions, files: [declarations] } },
      apiReport: { enabled: true, reportFileName: `${name}.api.md`, reportFolder: REPORTS, reportTempFolder: MADE },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Error },
          // Everything that is exported is public.
          'ae-missing-release-tag': { logLevel: ExtractorLogLevel.None },
          // `{@link}` is for editors.
          'ae-unresolved-link': { logLevel: ExtractorLogLevel.None },
        },
        // Docstrings are prose with code in backticks, and not TSDoc to the letter.
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(ROOT, 'package.json'),
  });
}

/** A method, a constructor or a call signature, and nothing that a name explains by itself. */
const CALLABLE = /^\s+(?:(?:static|new) )?[\w[\].]*(?:<.*>)?\(/;

/** The line of a declaration that a message is about. */
function lineOf({ sourceFilePath = '', sourceFileLine = 1 }: ExtractorMessage): string {
  return readFileSync(sourceFilePath, 'utf8').split('\n')[sourceFileLine - 1] ?? '';
}

/** Types that a signature names and its entry point does not export: another entry point must. */
const named = new Set<string>();

/** Sets levels, because the extractor counts an error even if it is `handled`. */
function judge(message: ExtractorMessage): void {
  const { messageId, text, sourceFileColumn = 1 } = message;
  if (messageId === 'ae-undocumented' && sourceFileColumn > 1 && text.includes('"')) {
    const line = lineOf(message);
    if (!line.startsWith('export') && !CALLABLE.test(line)) message.logLevel = ExtractorLogLevel.None;
  }
  if (messageId === 'ae-forgotten-export') {
    message.logLevel = ExtractorLogLevel.None;
    const [, name = ''] = /"(\w+)"/.exec(text) ?? [];
    // A constant behind `typeof` is not named by whoever uses the type.
    if (/^[A-Z][a-z]/.test(name)) named.add(name);
  }
}

function isExported(name: string, folder: string): boolean {
  const declared = new RegExp(
    `^export (?:declare )?(?:abstract )?(?:type|interface|class|const|function) ${name}\\b`,
    'm',
  );
  return readdirSync(folder).some((file) => declared.test(readFileSync(join(folder, file), 'utf8')));
}

function report(isCheck: boolean): boolean {
  rmSync(TYPES, { recursive: true, force: true });
  for (const folder of [REPORTS, MADE]) mkdirSync(folder, { recursive: true });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const build = ['-p', join(ROOT, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', TYPES];
  execFileSync(process.execPath, [tsc, ...build], { stdio: 'inherit' });
  const entries = entryPoints();
  const configs = entries.map(configOf);
  const [first] = configs;
  if (first === undefined) return false;
  const declarations = entries.map((entry) => entry.declarations);
  const compilerState = CompilerState.create(first, { additionalEntryPoints: declarations });
  const options = { localBuild: !isCheck, compilerState, messageCallback: judge };
  const results = configs.map((config) => Extractor.invoke(config, options));
  const outdated = results.filter(({ apiReportChanged }) => apiReportChanged && isCheck);
  if (outdated.length > 0) {
    process.stderr.write(
      "The public API has changed. If that is meant, run 'npm run api:report' and commit etc/api.\n",
    );
  }
  const hidden = [...named].filter((name) => !isExported(name, MADE));
  if (hidden.length > 0) process.stderr.write(`Signatures name types that are not exported: ${hidden.join(', ')}.\n`);
  return outdated.length === 0 && hidden.length === 0 && results.every(({ errorCount }) => errorCount === 0);
}

process.exitCode = report(process.argv.includes('--check')) ? 0 : 1;
