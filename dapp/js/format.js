// Numbers as the server writes them, so that a value does not change its look when a script refreshes it.
import { formatUnits } from "/vendor/viem.js";

export function amount(wei) {
  const [whole, rest] = formatUnits(wei, 18).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return rest ? `${grouped}.${rest}` : grouped;
}

export function short(address) {
  return `${address.slice(0, 8)}…${address.slice(-6)}`;
}

export function duration(seconds) {
  let left = Math.max(0, seconds);
  const parts = [];
  for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    const count = Math.floor(left / size);
    left %= size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}
