// Builds dapp/vendor/viem.js: the parts of viem that the pages use, in one file, so that running a node needs no npm.
// Run after `npm ci`:  node scripts/build_viem.mjs          (`--check` only compares with the committed file)
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const folder = new URL("../dapp/vendor/", import.meta.url);
const root = new URL("..", import.meta.url).pathname;

const entry = `
export { custom, http, defineChain, createClient, formatUnits, parseUnits, getAddress, parseSignature } from "viem";
export { BaseError, ContractFunctionRevertedError, UserRejectedRequestError } from "viem";
export { readContract, simulateContract, waitForTransactionReceipt, getBlock } from "viem/actions";
export { writeContract, signTypedData } from "viem/actions";
`;

const packages = [
  "viem", "abitype", "ox", "@noble/curves", "@noble/hashes", "@adraffy/ens-normalize", "eventemitter3", "isows",
];

function notice() {
  const version = JSON.parse(readFileSync(`${root}node_modules/viem/package.json`, "utf8")).version;
  const lines = [`viem ${version}, tree-shaken by scripts/build_viem.mjs. It contains parts of these packages:`, ""];
  for (const name of packages) {
    const about = JSON.parse(readFileSync(`${root}node_modules/${name}/package.json`, "utf8"));
    lines.push(`=== ${name} ${about.version} (${about.license}) ===`, "", licence(name), "");
  }
  return lines.join("\n");
}

function licence(name) {
  for (const file of ["LICENSE", "LICENSE.md", "license"]) {
    try {
      return readFileSync(`${root}node_modules/${name}/${file}`, "utf8").trim();
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  throw new Error(`${name} has no licence file`);
}

const result = await build({
  stdin: { contents: entry, resolveDir: root, loader: "js" },
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  legalComments: "none",
  charset: "utf8",
  banner: { js: "/*! viem and what it needs; MIT licences in viem.LICENSES.txt beside this file */" },
  write: false,
});
const bundle = Buffer.from(result.outputFiles[0].contents);
const digest = createHash("sha256").update(bundle).digest("hex");

if (process.argv.includes("--check")) {
  const committed = createHash("sha256").update(readFileSync(new URL("viem.js", folder))).digest("hex");
  if (committed !== digest) throw new Error(`dapp/vendor/viem.js is ${committed}, a fresh build is ${digest}`);
} else {
  writeFileSync(new URL("viem.js", folder), bundle);
  writeFileSync(new URL("viem.js.sha256", folder), `${digest}  viem.js\n`);
  writeFileSync(new URL("viem.LICENSES.txt", folder), notice());
}
console.log(`viem.js ${bundle.length} bytes sha256 ${digest}`);
