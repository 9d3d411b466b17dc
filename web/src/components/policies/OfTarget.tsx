import { Anchor } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { usePoliciesOf } from "../../api/policies";

/** The way to the policy of a target, where there is one; its mode, which the policy says, is the link's text. */
export function PolicyLink({ namespace, name, children }: { namespace: string; name: string; children: string }) {
  const { resource, made } = usePoliciesOf(namespace, name).data ?? { resource: null, made: null };
  const policy = resource ?? made;
  if (!policy) return <>{children}</>;
  return (
    <Anchor component={Link} to="/policies/$id" params={{ id: policy.id } as never} inherit aria-label={`${children} · policy of this target`}>
      {children} · policy
    </Anchor>
  );
}
