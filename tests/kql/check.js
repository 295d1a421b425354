// Microsoft's KQL parser over many queries at once.
//
// Standard input: {"databases": {name: {"everyTable": {type: [column]}, "tables": {table: {type: [column]}}}},
//                  "queries": [{"name", "database", "text"}]}
// Standard output: [{"name", "problems": [{"line", "column", "code", "severity", "message"}]}], in the order of the queries.
"use strict";

const { readFileSync } = require("node:fs");

require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { GlobalState, KustoCode, Symbols, Syntax } = Kusto.Language;

function columns(byType) {
  return Object.entries(byType).flatMap(([type, names]) => names.map((name) => `['${name}']:${type}`));
}

function globals(name, { everyTable, tables }) {
  const symbols = Object.entries(tables).map(([table, own]) =>
    Symbols.TableSymbol.From(`(${[...columns(everyTable), ...columns(own)].join(", ")})`).WithName(table),
  );
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor3(name, null, symbols, false));
}

const FAMILIES = { int: "number", long: "number", real: "number", decimal: "number", bool: "bool", string: "text", datetime: "time" };

// The parser lets a bool be compared with "False" or a number with text; the service then matches nothing, in silence.
function mismatches(root) {
  const found = [];
  const compare = (left, right) => {
    const families = [left, right].map((side) => FAMILIES[side.ResultType?.Name]);
    if (families[0] && families[1] && families[0] !== families[1]) {
      const message = `A ${left.ResultType.Name} is compared with a ${right.ResultType.Name}.`;
      found.push({ Start: left.TextStart, Code: "types", Severity: "Error", Message: message });
    }
  };
  Syntax.SyntaxElement.WalkNodes(root, (node) => {
    const { EqualExpression, NotEqualExpression } = Syntax.SyntaxKind;
    if (node.Kind === EqualExpression || node.Kind === NotEqualExpression) {
      compare(node.Left, node.Right);
    } else if (node instanceof Syntax.InExpression) {
      const list = node.Right.Expressions;
      for (let index = 0; index < list.Count; index += 1) compare(node.Left, list.getItem(index).Element);
    }
  });
  return found;
}

function problems(text, state) {
  const code = KustoCode.ParseAndAnalyze(text, state);
  const diagnostics = code.GetDiagnostics();
  const found = Array.from({ length: diagnostics.Count }, (_, index) => diagnostics.getItem(index));
  if (code.Kind !== "Query" || !code.ResultType) {
    found.push({ Start: 0, Code: "query", Severity: "Error", Message: "This is not a query." });
  }
  return [...found, ...mismatches(code.Syntax)].map(({ Start, Code, Severity, Message }) => {
    const before = text.slice(0, Start).split("\n");
    return { line: before.length, column: before.at(-1).length + 1, code: Code, severity: Severity, message: Message };
  });
}

const { databases, queries } = JSON.parse(readFileSync(0, "utf-8"));
const states = Object.fromEntries(Object.entries(databases).map(([name, tables]) => [name, globals(name, tables)]));
const answers = queries.map(({ name, database, text }) => ({ name, problems: problems(text, states[database]) }));
process.stdout.write(JSON.stringify(answers));
