/** What is said when somebody applies a field that another manager has. */
import { StatusError } from '../storage/status-error.ts';
import type { FieldSet } from './field-set.ts';
import type { ManagerName } from './managed-fields.ts';
import { pathText } from './path-element.ts';

export interface Conflict {
  readonly manager: ManagerName;
  readonly fields: FieldSet;
}

export class ConflictError extends StatusError {
  readonly conflicts: readonly Conflict[];

  constructor(conflicts: readonly Conflict[]) {
    const found = conflicts
      .map(({ manager, fields }) => ({ who: managerText(manager), paths: [...fields.paths()].map(pathText) }))
      .sort((a, b) => (a.who < b.who ? -1 : 1));
    const causes = found.flatMap(({ who, paths }) =>
      paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
    );
    const texts = found.map(({ who, paths }) =>
      [`conflicts with ${who}:`, ...paths.map((path) => `- ${path}`)].join('\n'),
    );
    const message =
      causes.length === 1
        ? `Apply failed with 1 conflict: conflict with ${found[0].who}: ${found[0].paths[0]}`
        : `Apply failed with ${causes.length} conflicts: ${texts.join('\n')}`;
    super(409, 'Conflict', message, { causes });
    this.conflicts = conflicts;
  }
}

function managerText({ manager, operation, apiVersion, subresource }: ManagerName): string {
  const name = JSON.stringify(manager) + (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}
