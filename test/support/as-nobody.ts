/**
 * Runs a program of this clone as the user nobody with chosen capabilities, as the systemd unit does. The clone
 * and Node may lie where nobody cannot go (/root, or a folder of mode 0700), so what is needed of both is mounted
 * elsewhere, in a mount namespace of its own.
 */

import { dirname } from "node:path";
import { root } from "../house/source-files.ts";

export const NOBODY = 65534;

/** CAP_NET_ADMIN and no other, for `capabilities` below; "-all" is none at all. */
export const NET_ADMIN_ALONE = "-all,+net_admin";

/** Put before "node bin/krtd.js …": the wrapper of startKrtd(). `capabilities` in the words of setpriv. */
export function asNobody(capabilities: string): readonly string[] {
  const script = `
    mount -t tmpfs -o mode=755 krtd /mnt
    for folder in bin config dist node_modules; do
      mkdir "/mnt/$folder"
      mount --bind "$1/$folder" "/mnt/$folder"
    done
    cp "$1/package.json" /mnt
    mount --bind "$2" /srv
    caps=$3
    shift 5
    exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --no-new-privs \\
      --inh-caps="$caps" --ambient-caps="$caps" --bounding-set="$caps" /srv/bin/node /mnt/bin/krtd.js "$@"`;
  const prefix = dirname(dirname(process.execPath));
  return ["unshare", "--mount", "sh", "-euc", script, "sh", root, prefix, capabilities];
}
