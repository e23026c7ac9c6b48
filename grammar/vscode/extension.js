// Starts `flow lsp` for scripts, and shows the plan that it gives.

'use strict';

const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

/** What the server calls the command behind the lens above a script. */
const SHOW_PLAN = 'flow.showPlan';

let client;

/** Plans as documents that can only be read, by the path of their script. */
class Plans {
  constructor() {
    this.texts = new Map();
    this.changes = new vscode.EventEmitter();
    this.onDidChange = this.changes.event;
  }

  provideTextDocumentContent(uri) {
    return this.texts.get(uri.toString()) || '';
  }

  async show(script, plan) {
    const uri = vscode.Uri.from({ scheme: 'flow-plan', path: `${vscode.Uri.parse(script).path}.plan` });
    this.texts.set(uri.toString(), plan.text);
    this.changes.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.Beside,
      preserveFocus: true,
      preview: true,
    });
  }
}

function start(plans) {
  const command = vscode.workspace.getConfiguration('flow').get('path') || 'flow';
  client = new LanguageClient(
    'flow',
    'flow',
    { command, args: ['lsp'] },
    {
      documentSelector: [{ language: 'flow' }],
      synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher('**/*.rhai') },
      middleware: {
        executeCommand: async (name, args, next) => {
          const result = await next(name, args);
          if (name === SHOW_PLAN && result) {
            await plans.show(args[0], result);
          }
          return result;
        },
      },
    },
  );
  return client.start().catch((error) => {
    vscode.window.showErrorMessage(
      `flow: the language server cannot be started (${error.message}). Is \`flow\` on the PATH? The setting "flow.path" names it.`,
    );
  });
}

async function activate(context) {
  const plans = new Plans();
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider('flow-plan', plans),
    vscode.commands.registerCommand('flow.showPlanOfFile', () => {
      const editor = vscode.window.activeTextEditor;
      if (editor && editor.document.languageId === 'flow') {
        return vscode.commands.executeCommand(SHOW_PLAN, editor.document.uri.toString());
      }
      return vscode.window.showInformationMessage('Open a script of flow first.');
    }),
    vscode.commands.registerCommand('flow.restart', async () => {
      await deactivate();
      await start(plans);
    }),
  );
  await start(plans);
}

async function deactivate() {
  const running = client;
  client = undefined;
  if (running) {
    await running.stop();
  }
}

module.exports = { activate, deactivate };
