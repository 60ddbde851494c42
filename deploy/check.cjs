/**
 * A plugin of osls: refuses to package or deploy a stack that could not work, and says what is missing.
 * RELIGHT_PACKAGE_FOR_TWIN=1 allows a package without relight.yaml: the twin and the tests add their own.
 */
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

/** What `package.patterns` in serverless.yml adds to each function. */
const PACKAGED = ["relight.yaml", "operator.jwt", "ca.pem"];

class Check {
  constructor(serverless, options) {
    this.hooks = {
      initialize: () => {
        const commands = serverless.processedInput?.commands ?? [];
        if (commands[0] !== "package" && commands[0] !== "deploy") return;
        const found = [
          ...parameterFaults(serverless.configurationInput, options),
          ...fileFaults(serverless.serviceDir),
        ];
        if (found.length > 0) throw new serverless.classes.Error(found.join("\n"), "RELIGHT_INCOMPLETE");
      },
    };
  }
}

/** Parameters that do not exist, and subnets without security groups. */
function parameterFaults({ params = {} }, { param = [], stage = "prod" }) {
  const known = Object.keys(params.default ?? {});
  const given = Object.fromEntries(
    [param].flat().map((text) => {
      const [, name, value] = /^([^=]*)=?([\s\S]*)$/.exec(text);
      return [name, value];
    }),
  );
  const ofStages = Object.entries(params).filter(([name]) => name !== "default");
  const unknown = [...Object.keys(given), ...ofStages.flatMap(([, own]) => Object.keys(own ?? {}))].filter(
    (name) => !known.includes(name),
  );
  const value = (name) => given[name] ?? params[stage]?.[name] ?? params.default?.[name] ?? "";
  const [subnets, groups] = [value("subnets"), value("securityGroups")];
  return [
    ...[...new Set(unknown)].map((name) => `there is no parameter ${name}; there are ${known.join(", ")}`),
    ...(subnets !== "" && groups === "" ? ["subnets is set, but securityGroups is not: set both or neither"] : []),
    ...(subnets === "" && groups !== "" ? ["securityGroups is set, but subnets is not: set both or neither"] : []),
  ];
}

/** Files that the functions will look for and not find. */
function fileFaults(folder) {
  const config = join(folder, "relight.yaml");
  if (!existsSync(config))
    return process.env.RELIGHT_PACKAGE_FOR_TWIN === "1"
      ? []
      : ["relight.yaml is missing: put it beside serverless.yml (docs/deploy-aws.md, step 3)"];
  const text = readFileSync(config, "utf8").replace(/(^|\s)#.*$/gm, "");
  const references = new Set([...text.matchAll(/\bfile:([^\s"',\]}]+)/g)].map(([, path]) => path.replace(/^\.\//, "")));
  return [...references].flatMap((path) => {
    if (!PACKAGED.includes(path))
      return [
        `relight.yaml refers to file:${path}, which is not packaged: keep secrets in Secrets Manager (aws-sm://)`,
      ];
    return existsSync(join(folder, path)) ? [] : [`${path} is missing: relight.yaml refers to it`];
  });
}

module.exports = Check;
