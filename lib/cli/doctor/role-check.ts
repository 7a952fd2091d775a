import type { MembersService } from '../../members/members.service';
import { type Finding, ok, warning } from './finding';

const CHECK = 'roles of members';

/** Whether all roles that members have are still declared. */
export async function checkRolesInUse(members: MembersService): Promise<Finding> {
  const lost = await members.undeclaredRoles();
  if (lost.length === 0) return ok(CHECK, 'all of them are declared');
  const named = lost.map(({ role, members: count }) => `"${role}" (${count})`).join(', ');
  return warning(
    CHECK,
    `members have roles that are not declared, which give them nothing: ${named}`,
    'declare them in TenancyMembersModule.forRoot({ roles }), or take them from those who have them',
  );
}
