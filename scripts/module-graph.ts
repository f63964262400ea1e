import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, resolve } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

/** What a compiled module reaches, by its imports and those of the files that it imports. */
export interface Reached {
  /** Files, the module itself first. */
  files: string[];
  /** Packages by name, each with the files on the way there. */
  packages: Map<string, string[]>;
}

/**
 * Follows the imports of a `.js` file at run time, or those of a `.d.ts` file for its types. Builtins of Node are left
 * out.
 */
export async function reachedFrom(entry: string): Promise<Reached> {
  const packages = new Map<string, string[]>();
  const wayTo = new Map([[entry, [entry]]]);
  // The map grows meanwhile, and the loop comes to what is added.
  for (const [file, way] of wayTo) {
    for (const specifier of importsOf(file, await readFile(file, 'utf8'))) {
      if (specifier.startsWith('.')) {
        const imported = fileOf(specifier, file);
        if (!wayTo.has(imported)) wayTo.set(imported, [...way, imported]);
      } else if (!isBuiltin(specifier)) {
        const name = packageOf(specifier);
        if (!packages.has(name)) packages.set(name, way);
      }
    }
  }
  return { files: [...wayTo.keys()], packages };
}

function importsOf(file: string, code: string): string[] {
  const found: string[] = [];
  const note = ({ source }: { source: { value?: unknown } | null }): void => {
    if (typeof source?.value === 'string') found.push(source.value);
  };
  const visitor = new Visitor({
    ImportDeclaration: note,
    ExportNamedDeclaration: note,
    ExportAllDeclaration: note,
    TSImportType: note,
    ImportExpression: (node) => {
      const { source } = node;
      if (source.type !== 'Literal')
        throw new Error(`${file} imports a module by an expression. Import it by its name.`);
      note({ source });
    },
  });
  const { program, errors } = parseSync(file, code);
  if (errors.length > 0)
    throw new Error(`${file} cannot be parsed: ${errors.map(({ message }) => message).join('; ')}`);
  visitor.visit(program);
  return found;
}

/** In declarations the compiler leaves `.ts` in imports. */
function fileOf(specifier: string, importer: string): string {
  const path = resolve(dirname(importer), specifier);
  return importer.endsWith('.d.ts') ? path.replace(/\.[jt]s$/, '.d.ts') : path;
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
