// The wallet's place in the masthead: which network, which account, and the choice between several wallets.
import { chain } from "/js/chain.js";
import { short } from "/js/format.js";
import { notice, report } from "/js/notices.js";
import { candidates, connect, onChange, onOurChain, wallet } from "/js/wallet.js";

const bar = document.getElementById("wallet");
const network = document.getElementById("network");
const button = document.getElementById("connect");
const picker = document.getElementById("picker");

function choice(detail) {
  const item = document.createElement("li");
  const choose = document.createElement("button");
  choose.type = "button";
  choose.dataset.rdns = detail.info.rdns;
  // The name and the icon come from whatever is installed: text stays text, and an icon must be data.
  if (/^data:image\/(svg\+xml|png|webp|jpeg|gif)[;,]/.test(detail.info.icon)) {
    const icon = new Image();
    icon.src = detail.info.icon;
    icon.alt = "";
    choose.append(icon);
  }
  choose.append(detail.info.name);
  choose.addEventListener("click", async () => {
    picker.close();
    const change = notice("Connect: confirm in your wallet…", "wallet");
    try {
      await connect(detail);
      change("Connected.", "confirmed");
    } catch (error) {
      report(change, "Connect", error);
    }
  });
  item.append(choose);
  return item;
}

function show() {
  document.getElementById("wallets").replaceChildren(...candidates().map(choice));
  document.getElementById("no-wallet").hidden = candidates().length > 0;
  button.textContent = wallet.account ? short(wallet.account) : "Connect wallet";
  button.title = wallet.account ?? "";
  const wrong = Boolean(wallet.account) && !onOurChain();
  network.classList.toggle("bad", wrong);
  network.textContent = !wallet.account ? "Not connected" : wrong ? "Wrong network: switches when you act" : chain.name;
}

bar.hidden = false;
button.addEventListener("click", () => picker.showModal());
onChange(show);
show();
