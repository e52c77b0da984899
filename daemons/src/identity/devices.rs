//! A user's phones.

use tana_protocol::api::approval::RegisterDevice;
use tana_store::identity::LiveLogin;
use tana_store::identity::requests::Device;

use super::error::IdentityError;
use super::service::Identity;

/// Phones of one user.
const DEVICES: u32 = 50;

impl Identity {
    pub(super) async fn add_device(
        &self,
        bearer: &LiveLogin,
        wanted: RegisterDevice,
    ) -> Result<Device, IdentityError> {
        let texts = [
            ("pushToken", Some(&wanted.push_token), 512),
            ("deviceName", wanted.device_name.as_ref(), 100),
            ("platform", wanted.platform.as_ref(), 50),
            ("appVersion", wanted.app_version.as_ref(), 50),
        ];
        for (name, text, most) in texts {
            let fits = text.is_none_or(|text| {
                !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
            });
            if !fits {
                return Err(IdentityError::Malformed(format!(
                    "{name} must be 1 to {most} bytes without control characters"
                )));
            }
        }
        let device = Device {
            id: format!("dev_{:032x}", rand::random::<u128>()),
            user_id: bearer.login.user_id,
            push_token: wanted.push_token,
            device_name: wanted.device_name,
            platform: wanted.platform,
            app_version: wanted.app_version,
            created_at: self.now(),
        };
        let kept = self.store().add_device(&device, DEVICES).await?;
        kept.ok_or(IdentityError::TooManyDevices(DEVICES))
    }

    pub(super) async fn remove_device(
        &self,
        bearer: &LiveLogin,
        id: &str,
    ) -> Result<(), IdentityError> {
        match self
            .store()
            .remove_device(&bearer.login.user_id, id)
            .await?
        {
            0 => Err(IdentityError::UnknownDevice),
            _ => Ok(()),
        }
    }
}
